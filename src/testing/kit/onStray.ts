type Told = (error: unknown) => void

const events = ['unhandledRejection', 'uncaughtException'] as const

const told = new Set<Told>()
let giveBack: (() => void) | null = null

/**
 * Tells of every error of this process that nobody has caught, until the returned call. Meanwhile the process's own
 * listeners, a test runner's for example, are put aside: the error is the job's, and is reported as what stopped it.
 */
export function onStray(callback: Told): () => void {
  told.add(callback)
  giveBack ??= takeOver()
  return () => {
    told.delete(callback)
    if (told.size > 0) return
    giveBack?.()
    giveBack = null
  }
}

function takeOver(): () => void {
  const tell = (error: unknown): void => {
    for (const callback of told) callback(error)
  }
  const own = events.map((event) => [event, process.rawListeners(event) as Told[]] as const)
  for (const event of events) process.removeAllListeners(event).on(event, tell)
  return () => {
    for (const [event, listeners] of own) {
      process.off(event, tell)
      for (const listener of listeners) process.on(event, listener)
    }
  }
}
