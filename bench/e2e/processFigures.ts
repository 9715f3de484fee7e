import { readFileSync } from 'node:fs'

/** What the kernel counts of a process; Linux only. */
export interface ProcessFigures {
  readonly cpuMicros: number
  readonly residentMiB: number
}

/** Clock ticks that the kernel counts CPU time in; 100 on every Linux that Node runs on. */
const ticksPerSecond = 100

/** CPU so far and memory now of a process and all its threads. */
export function processFigures(pid: number): ProcessFigures {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
  // The second field is the name in parentheses, which may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[11]) + Number(fields[12])
  const resident = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))
  return { cpuMicros: (ticks * 1_000_000) / ticksPerSecond, residentMiB: Number(resident?.[1] ?? 0) / 1024 }
}
