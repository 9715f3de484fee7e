import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'

export const root = path.resolve(import.meta.dirname, '../..')

export type Child = ChildProcessByStdio<Writable, Readable, Readable>

/** Starts this Node on a file of the repository, with a data directory and nothing else configured. */
export function startProcess(
  dataDirectory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Child {
  return spawn(process.execPath, args, {
    cwd: root,
    env: { PATH: process.env['PATH'], DATA_DIR: dataDirectory, ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

export interface ProcessResult {
  readonly out: string
  readonly err: string
  readonly code: unknown
  readonly signal: unknown
}

export async function resultOf(child: Child): Promise<ProcessResult> {
  const [out, err, [code, signal]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { out, err, code: code as unknown, signal: signal as unknown }
}
