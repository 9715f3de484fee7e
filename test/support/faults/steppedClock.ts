import { writeFileSync } from 'node:fs'

/**
 * What a process is started with (`node --import`) so that its wall clock can be set while it runs: it shows the machine's
 * time and as many ms more as the file says, asked anew every few ms. The monotonic clock goes on as it is, as it does when
 * a machine's time is set.
 */
export function steppedClock(file: string): string {
  stepClock(file, 0)
  const source = `
    import { readFileSync } from 'node:fs'
    const now = Date.now
    const own = Date
    let offMs = 0
    setInterval(() => { offMs = Number(readFileSync(${JSON.stringify(file)}, 'utf8')) || offMs }, 20).unref()
    own.now = () => now() + offMs
    globalThis.Date = new Proxy(own, {
      construct: (target, args, newTarget) =>
        args.length === 0 ? Reflect.construct(target, [own.now()], newTarget) : Reflect.construct(target, args, newTarget),
    })`
  return `data:text/javascript,${encodeURIComponent(source)}`
}

/** Sets the wall clocks of the processes that look at this file. */
export function stepClock(file: string, offMs: number): void {
  // In one write: a process may read at any moment.
  writeFileSync(file, String(offMs))
}
