import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

const maxBytes = 64 * 1024

/** The last lines of a log file; empty when there is no such file. Reads at most 64 KiB, however long the log is. */
export function logTail(path: string, lines: number): string {
  let file
  try {
    file = openSync(path, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(file)
    const bytes = Buffer.alloc(Math.min(size, maxBytes))
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length)
    return bytes.toString('utf8', 0, read).trimEnd().split('\n').slice(-lines).join('\n')
  } finally {
    closeSync(file)
  }
}
