import { sleep, type Clock } from '../../../core/ports/clock.ts'

/** Does some work and calls `beat` in between, until the work is done or `beat` says false. A beat that fails is not told. */
export async function whileBeating<T>(
  clock: Clock,
  intervalMs: number,
  beat: () => Promise<boolean>,
  work: Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const beats = async (): Promise<void> => {
    let wanted = true
    while (wanted) {
      await sleep(clock, intervalMs, done.signal)
      if (done.signal.aborted) return
      wanted = await beat().catch(() => true)
    }
  }
  void beats()
  try {
    return await work
  } finally {
    done.abort()
  }
}
