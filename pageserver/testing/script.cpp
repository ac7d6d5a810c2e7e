#include "pageserver/testing/script.hpp"

namespace bough::pageserver {
namespace {

class Writer {
public:
    Writer(std::uint64_t seed, ScriptOptions options)
        : random_(seed), options_(options), operations_(random_, options.blocks_max, kScriptBegan) {
        ModelState state;
        state.parameters = {};
        script_.models.push_back(std::make_unique<Model>(kScriptStart, kScriptBegan, std::move(state)));
    }

    Script write() {
        for (std::size_t i = 0; i < options_.steps; ++i) {
            if (script_.models.size() < options_.branches_max && chance(30))
                add_branch();
            else
                add_record();
        }
        return std::move(script_);
    }

private:
    std::uint32_t below(std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n - 1)(random_); }
    bool chance(std::uint32_t one_in) { return below(one_in) == 0; }

    void add_branch() {
        ScriptStep step;
        step.creates = true;
        step.branch = script_.models.size();
        // Often of the newest, so that chains become long.
        step.parent = chance(2) ? script_.models.size() - 1 : below(static_cast<std::uint32_t>(script_.models.size()));
        const Model& parent = *script_.models[step.parent];
        const auto& positions = parent.positions();
        step.start = chance(2) ? positions.back() : positions[below(static_cast<std::uint32_t>(positions.size()))];
        script_.models.push_back(std::make_unique<Model>(parent, step.start));
        script_.steps.push_back(std::move(step));
    }

    void add_record() {
        ScriptStep step;
        step.branch = below(static_cast<std::uint32_t>(script_.models.size()));
        Model& model = *script_.models[step.branch];
        const Lsn start = model.end().lsn + 8 * below(4);
        step.record = {start + 32 + 8 * below(100), start};
        model.record(step.record.prev_lsn, step.record.lsn);
        step.operations = operations_.make_record(model.at(model.end().lsn));
        for (const Operation& operation : step.operations) operation(model);
        model.finish_record();
        script_.steps.push_back(std::move(step));
    }

    std::mt19937_64 random_;
    const ScriptOptions options_;
    OperationMaker operations_;
    Script script_;
};

}  // namespace

std::string script_branch_name(std::size_t index) { return "b" + std::to_string(index); }

Script make_script(std::uint64_t seed, ScriptOptions options) { return Writer(seed, options).write(); }

}  // namespace bough::pageserver
