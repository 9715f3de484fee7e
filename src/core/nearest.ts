import { distance } from 'fastest-levenshtein'

/** The word that was most likely meant, or null when none is near: at most a third of its letters differ. */
export function nearest(word: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Infinity
  // Long words are cut: the distance takes quadratic time, and nobody mistypes a name of 200 letters.
  const typed = word.slice(0, 200).toLowerCase()
  for (const candidate of known) {
    const differing = distance(typed, candidate.toLowerCase())
    if (differing < bestDistance) {
      bestDistance = differing
      best = candidate
    }
  }
  return best !== null && bestDistance <= Math.max(2, Math.ceil(best.length / 3)) ? best : null
}

/** ` Did you mean x?`, or what to do instead. */
export function didYouMean(word: string, known: readonly string[], otherwise: string): string {
  const meant = nearest(word, known)
  return meant === null ? otherwise : `Did you mean ${meant}?`
}
