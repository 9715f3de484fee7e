/** How a figure of this tree stands to that of an earlier one, over pairs of runs. */
export interface RatioInterval {
  /** Of now / before, pair by pair. */
  readonly median: number
  readonly low: number
  readonly high: number
  /** How sure it is that the true median lies between low and high, 0 to 1. */
  readonly coverage: number
}

const wanted = 0.95

/**
 * The median of the ratios and its interval by ranks (the sign test's): the narrowest pair of order statistics, as far from
 * both ends as each other, that holds the median with at least 95 %. Nothing is assumed of how the figures are spread. Fewer
 * than six pairs cannot be as sure as that; the interval is then all of them.
 */
export function ratioInterval(pairs: readonly { readonly before: number; readonly now: number }[]): RatioInterval {
  const ratios = pairs.map(({ before, now }) => now / before).toSorted((a, b) => a - b)
  const n = ratios.length
  let cut = 0
  while (2 * (cut + 1) < n && coverageOf(n, cut + 1) >= wanted) cut += 1
  const at = (index: number): number => ratios[index] ?? NaN
  return {
    median: (at((n - 1) >> 1) + at(n >> 1)) / 2,
    low: at(cut),
    high: at(n - 1 - cut),
    coverage: coverageOf(n, cut),
  }
}

/** How sure it is that a median lies within `n` values of which `cut` at each end are left out: 1 - 2 P(X <= cut), X of n coins. */
function coverageOf(n: number, cut: number): number {
  let ways = 1
  let below = 0
  for (let k = 0; k <= cut; k += 1) {
    below += ways
    ways = (ways * (n - k)) / (k + 1)
  }
  return 1 - (2 * below) / 2 ** n
}
