import { spawn, type ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

/**
 * Servers that must not outlive this process. One watchdog process a process, started at the first use, holds the other
 * end of a pipe: when this process ends, by kill -9 as well, the pipe closes and the watchdog ends what is left over.
 */
export const underWatch = {
  addProcess(pid: number, mark: string): void {
    tell(`+ ${String(pid)} ${mark}`)
  },
  removeProcess(pid: number, mark: string): void {
    tell(`- ${String(pid)} ${mark}`)
  },
  /** A temporary directory, removed when this process has ended. */
  addDirectory(path: string): void {
    tell(`+ dir ${path}`)
  },
}

let watchdog: ChildProcess | undefined

function tell(line: string): void {
  watchdog ??= startWatchdog()
  // A write to an empty pipe is done when this returns, so there is no moment in which a dying parent leaves a server.
  watchdog.stdin?.write(`${line}\n`)
}

function startWatchdog(): ChildProcess {
  const program = fileURLToPath(new URL('./watchdog.ts', import.meta.url))
  // In a session of its own: Ctrl-C on the terminal must not end it before it has done its work.
  const child = spawn(process.execPath, [program], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    // Without what a test runner puts there for its own children.
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  child.unref()
  if (child.stdin instanceof Socket) child.stdin.unref()
  return child
}
