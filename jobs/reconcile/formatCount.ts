const counts = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** `12,345`. */
export function formatCount(count: number): string {
  return counts.format(count)
}

/** `0.41 s`, `12.3 s`, `3 min 20 s`. */
export function formatDuration(durationMs: number): string {
  const seconds = durationMs / 1000
  if (seconds < 10) return `${seconds.toFixed(2)} s`
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return `${String(Math.floor(seconds / 60))} min ${String(Math.floor(seconds % 60))} s`
}

/** Records per second, as a whole number; of a run too short to measure, as if it had taken 1 ms. */
export function perSecond(records: number, durationMs: number): string {
  return formatCount(records / (Math.max(durationMs, 1) / 1000))
}

/** A share of a whole: `12.3 %`. */
export function formatShare(count: number, whole: number): string {
  return whole === 0 ? '–' : `${((100 * count) / whole).toFixed(1)} %`
}
