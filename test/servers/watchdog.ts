/**
 * The program behind `underWatch`. It reads lines from its standard input: `+ PID MARK` and `- PID MARK` for a process,
 * `+ dir PATH` for a directory. When the input ends, because the process that wrote it has died in whatever way, it ends
 * the processes by kill -9, removes the directories and ends.
 */
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { killIfRunsAs } from './runsAs.ts'

const watched = new Set<string>()

for await (const line of createInterface({ input: process.stdin })) {
  const entry = line.slice(2)
  if (line.startsWith('+ ')) watched.add(entry)
  else watched.delete(entry)
}
// Processes first, directories last, when nothing writes to them any more.
for (const [kind, mark] of entries()) {
  if (kind !== 'dir') killIfRunsAs(Number(kind), mark, 'SIGKILL')
}
for (const [kind, path] of entries()) {
  if (kind === 'dir') rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

function entries(): readonly (readonly [string, string])[] {
  return [...watched].map((entry) => {
    const space = entry.indexOf(' ')
    return [entry.slice(0, space), entry.slice(space + 1)]
  })
}
