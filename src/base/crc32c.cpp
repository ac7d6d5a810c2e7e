#include "base/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bough {
namespace {

// tables[k][b]: the effect of byte b followed by k zero bytes, so that eight bytes are taken at once.
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr std::uint32_t kPolynomialReversed = 0x82F63B78u;

constexpr Tables make_tables() {
    Tables t{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t c = i;
        for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ kPolynomialReversed : c >> 1;
        t[0][i] = c;
    }
    for (std::size_t k = 1; k < t.size(); ++k)
        for (std::size_t i = 0; i < 256; ++i) t[k][i] = (t[k - 1][i] >> 8) ^ t[0][t[k - 1][i] & 0xFF];
    return t;
}

constexpr Tables kTables = make_tables();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_extend_sse42(std::uint32_t crc, std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    std::size_t n = bytes.size();
    std::uint64_t c = static_cast<std::uint32_t>(~crc);
    for (; n >= 8; p += 8, n -= 8) {
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        c = _mm_crc32_u64(c, word);
    }
    auto c32 = static_cast<std::uint32_t>(c);
    for (; n > 0; ++p, --n) c32 = _mm_crc32_u8(c32, static_cast<std::uint8_t>(*p));
    return ~c32;
}

// Remainders of powers of x, with the bits reversed as crc32 has them: the highest bit is x^0.
constexpr std::uint32_t power_of_x(unsigned exponent) {
    std::uint32_t remainder = 0x80000000u;
    for (unsigned i = 0; i < exponent; ++i) remainder = (remainder & 1) != 0 ? (remainder >> 1) ^ kPolynomialReversed : remainder >> 1;
    return remainder;
}

// What `c` becomes when kBytes zero bytes follow: c * x^(8 * kBytes), of which the product of reversed numbers gives 1 and the instruction,
// which multiplies by x^32, 32.
template <std::size_t kBytes>
__attribute__((target("sse4.2,pclmul"))) std::uint64_t followed_by_zeros(std::uint64_t c) {
    constexpr std::uint32_t kPower = power_of_x(8 * kBytes - 33);
    const __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128(static_cast<long long>(c)), _mm_cvtsi64_si128(kPower), 0);
    return _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(product)));
}

// The instruction takes three cycles and can be begun each cycle: three parts that lie next to one another are done at once.
template <std::size_t kPart>
__attribute__((target("sse4.2,pclmul"))) std::uint64_t three_parts(std::uint64_t first, const std::byte*& p, std::size_t& n) {
    for (; n >= 3 * kPart; p += 3 * kPart, n -= 3 * kPart) {
        std::uint64_t second = 0, third = 0;
        for (std::size_t i = 0; i < kPart; i += 8) {
            std::uint64_t words[3];
            for (std::size_t part = 0; part < 3; ++part) std::memcpy(&words[part], p + part * kPart + i, 8);
            first = _mm_crc32_u64(first, words[0]);
            second = _mm_crc32_u64(second, words[1]);
            third = _mm_crc32_u64(third, words[2]);
        }
        first = followed_by_zeros<2 * kPart>(first) ^ followed_by_zeros<kPart>(second) ^ third;
    }
    return first;
}

__attribute__((target("sse4.2,pclmul"))) std::uint32_t crc32c_extend_pclmul(std::uint32_t crc, std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    std::size_t n = bytes.size();
    std::uint64_t c = static_cast<std::uint32_t>(~crc);
    c = three_parts<1024>(c, p, n);
    c = three_parts<128>(c, p, n);
    return crc32c_extend_sse42(~static_cast<std::uint32_t>(c), {p, n});
}

// Folding: 16 bytes that lie kBytes before others count for as much as their product with a power of x in the others' place, modulo the
// polynomial. Each half is multiplied by its own power; the product of reversed numbers gives 1, constants of 32 bits another 32.
#define BOUGH_CRC_FOLDING __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq"), always_inline)) inline

template <std::size_t kBytes>
BOUGH_CRC_FOLDING __m512i folded(__m512i x, __m512i onto) {
    constexpr std::uint64_t kLow = power_of_x(8 * kBytes + 31), kHigh = power_of_x(8 * kBytes - 33);
    const __m512i powers = _mm512_set4_epi64(kHigh, kLow, kHigh, kLow);
    const __m512i low = _mm512_clmulepi64_epi128(x, powers, 0x00), high = _mm512_clmulepi64_epi128(x, powers, 0x11);
    return _mm512_ternarylogic_epi64(low, high, onto, 0x96);  // exclusive or of the three
}

template <std::size_t kBytes>
BOUGH_CRC_FOLDING __m128i folded(__m128i x) {
    constexpr std::uint64_t kLow = power_of_x(8 * kBytes + 31), kHigh = power_of_x(8 * kBytes - 33);
    const __m128i powers = _mm_set_epi64x(kHigh, kLow);
    return _mm_xor_si128(_mm_clmulepi64_si128(x, powers, 0x00), _mm_clmulepi64_si128(x, powers, 0x11));
}

// Reads straight on, as memory likes it, which counts for more than the arithmetic where the bytes are not in the cache.
__attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq"))) std::uint32_t crc32c_extend_avx512(std::uint32_t crc,
                                                                                            std::span<const std::byte> bytes) {
    constexpr std::size_t kLine = 64, kStep = 4 * kLine;
    if (bytes.size() < kStep) return crc32c_extend_pclmul(crc, bytes);
    const std::byte* p = bytes.data();
    std::size_t n = bytes.size();
    __m512i x[4];
    for (std::size_t i = 0; i < 4; ++i) x[i] = _mm512_loadu_si512(p + i * kLine);
    x[0] = _mm512_xor_si512(x[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(~crc))));
    for (p += kStep, n -= kStep; n >= kStep; p += kStep, n -= kStep)
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; ++i) x[i] = folded<kStep>(x[i], _mm512_loadu_si512(p + i * kLine));
    __m512i all = folded<kLine>(folded<kLine>(folded<kLine>(x[0], x[1]), x[2]), x[3]);
    for (; n >= kLine; p += kLine, n -= kLine) all = folded<kLine>(all, _mm512_loadu_si512(p));
    alignas(kLine) __m128i lanes[4];
    _mm512_store_si512(lanes, all);
    const __m128i first_two = _mm_xor_si128(folded<48>(lanes[0]), folded<32>(lanes[1]));
    const __m128i last = _mm_xor_si128(first_two, _mm_xor_si128(folded<16>(lanes[2]), lanes[3]));
    // These 16 bytes are as good as all before them.
    std::uint64_t c = _mm_crc32_u64(0, static_cast<std::uint64_t>(_mm_cvtsi128_si64(last)));
    c = _mm_crc32_u64(c, static_cast<std::uint64_t>(_mm_extract_epi64(last, 1)));
    return crc32c_extend_sse42(~static_cast<std::uint32_t>(c), {p, n});
}
#endif

}  // namespace

std::vector<detail::Crc32cExtend> detail::crc32c_ways() {
    std::vector<Crc32cExtend> ways = {crc32c_extend_portable};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") == 0) return ways;
    ways.push_back(crc32c_extend_sse42);
    if (__builtin_cpu_supports("pclmul") == 0) return ways;
    ways.push_back(crc32c_extend_pclmul);
    if (__builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("vpclmulqdq") != 0) ways.push_back(crc32c_extend_avx512);
#endif
    return ways;
}

std::uint32_t detail::crc32c_extend_portable(std::uint32_t crc, std::span<const std::byte> bytes) {
    const std::byte* p = bytes.data();
    std::size_t n = bytes.size();
    std::uint32_t c = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        std::array<std::uint8_t, 8> b;
        std::memcpy(b.data(), p, 8);
        c = kTables[7][(b[0] ^ c) & 0xFF] ^ kTables[6][(b[1] ^ c >> 8) & 0xFF] ^ kTables[5][(b[2] ^ c >> 16) & 0xFF] ^
            kTables[4][(b[3] ^ c >> 24) & 0xFF] ^ kTables[3][b[4]] ^ kTables[2][b[5]] ^ kTables[1][b[6]] ^ kTables[0][b[7]];
    }
    for (; n > 0; ++p, --n) c = (c >> 8) ^ kTables[0][(c ^ static_cast<std::uint8_t>(*p)) & 0xFF];
    return ~c;
}

std::uint32_t crc32c_extend(std::uint32_t crc, std::span<const std::byte> bytes) {
    static const detail::Crc32cExtend extend = detail::crc32c_ways().back();
    return extend(crc, bytes);
}

std::uint32_t crc32c(std::span<const std::byte> bytes) { return crc32c_extend(0, bytes); }

}  // namespace bough
