// What control does of an exchange of members: performs the steps that the real election::MemberExchange decides, for the branch of its
// launcher's running term.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "election/member_exchange.hpp"
#include "safekeeper/simulation/safekeeper.hpp"
#include "safekeeper/simulation/system.hpp"

namespace bough::safekeeper::simulation {

class Launcher;

class Changer {
public:
    Changer(System& system, Launcher& launcher);

    // One attempt, unless one is under way, to bring the branch where the catalog says it shall be. REQUIRES a term of the launcher's.
    void advance();
    // The process has crashed.
    void forget();
    bool busy() const { return exchange_ != nullptr; }

private:
    void look();
    election::Participants told() const;
    // Of those who may keep the branch.
    std::vector<std::string> outside(const Configuration& configuration) const;
    void next();
    void perform(const election::LetFollow& step);
    void perform(const election::OrderConfiguration& step);
    void perform(const election::RequireQuorum& step);
    void perform(const election::AwaitCommit& step);
    void perform(const election::LetRest& step);
    void perform(const election::Arrived& step);
    void perform(const election::Waiting& step);
    void end(const std::string& why);
    // For the answers of one attempt only.
    template <class... T>
    std::function<void(T...)> mine(std::type_identity_t<std::function<void(T...)>> task);

    System& system_;
    Launcher& launcher_;
    std::uint64_t attempt_ = 0;
    std::unique_ptr<election::MemberExchange> exchange_;
    Membership asked_for_;  // as the catalog was when the attempt began
    std::map<std::string, Answer> answers_;
    std::vector<std::string> unrested_;
    bool written_ = false;  // a compute writes meanwhile
    Microseconds patient_until_ = 0;
    Term back_in_;  // in which the old members were renewed after a change was called off: once in a term is enough
};

}  // namespace bough::safekeeper::simulation
