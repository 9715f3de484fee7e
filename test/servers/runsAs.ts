import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/**
 * Whether a process with this id runs and has `mark` in its command line. A process id alone proves nothing: after a
 * restart of the machine it may belong to somebody else, and a dead process that nobody waited for keeps its id.
 */
export function runsAs(pid: number, mark: string): boolean {
  return commandLine(pid).includes(mark)
}

/** Ends the process if it is still the one that was meant. A stopped (SIGSTOP) process is ended as well. */
export function killIfRunsAs(pid: number, mark: string, signal: 'SIGTERM' | 'SIGKILL'): boolean {
  if (!runsAs(pid, mark)) return false
  try {
    process.kill(pid, signal)
    return true
  } catch {
    // It ended between the two calls, which is what was wanted.
    return false
  }
}

/**
 * Whether the process is ending: it has no command line any more, but the system is not through with it. Until then its ports
 * are taken, and its files open: the memory of a large one is given back first. Where there is no /proc nothing is seen of it.
 */
export function isEnding(pid: number): boolean {
  let fields
  try {
    const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    // The second field is the name, in brackets, and may hold anything: what is read are fields 3 (state) and 20 (threads).
    fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return false
  }
  const [state = '', threads] = [fields[0], Number(fields[17])]
  // The first thread may have ended while others hold the files; a process that all have left waits for its parent alone, for
  // ever where nobody waits for it.
  const isOver = 'ZX'.includes(state) && threads <= 1
  return !isOver && commandLine(pid) === ''
}

/** Empty for a process that has ended, waited for or not. */
function commandLine(pid: number): string {
  if (existsSync('/proc/self/cmdline')) {
    try {
      return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  return spawnSync('ps', ['-ww', '-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout
}
