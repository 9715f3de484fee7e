import { constants } from 'node:fs'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../core/errors.ts'
import { isAlive } from './ownership.ts'

/** Names that are taken, and files that another process took for a dead one's. */
const maxAttempts = 20
let writes = 0

/**
 * Puts a text in the place of a file, for this user alone: whoever opens it finds the old text or the new one. It is
 * written to a new file beside it, which is no link's target, and then renamed, which replaces a link and not what it
 * points to. With `durable` the new text is on disk when it resolves. Whoever writes next removes what a killed process
 * has left half written.
 */
export async function replaceFile(
  file: string,
  text: string,
  { durable = false }: { readonly durable?: boolean } = {},
): Promise<void> {
  await removeHalfWritten(file)
  for (let attempt = 1; ; attempt += 1) {
    writes += 1
    const next = `${file}.${String(process.pid)}-${String(writes)}.next`
    try {
      await writeNew(next, text, durable)
      await rename(next, file)
      return
    } catch (error) {
      const code = codeOf(error)
      const isTaken = code === 'EEXIST' || code === 'ENOENT'
      if (!isTaken) await rm(next, { force: true }).catch(() => undefined)
      if (!isTaken || attempt === maxAttempts) throw error
    }
  }
}

async function writeNew(next: string, text: string, durable: boolean): Promise<void> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants
  const handle = await open(next, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    await handle.writeFile(text)
    if (durable) await handle.sync()
  } finally {
    await handle.close()
  }
}

async function removeHalfWritten(file: string): Promise<void> {
  const begins = `${basename(file)}.`
  for (const name of await readdir(dirname(file))) {
    // Version 0.1.0 had no process in the name.
    const found = name.startsWith(begins) && /^(?:(\d{1,10})-\d{1,15}\.)?next$/.exec(name.slice(begins.length))
    if (found === null || found === false || (found[1] !== undefined && isAlive(Number(found[1])))) continue
    // What cannot be removed, as a directory of that name, is in nobody's way.
    await rm(join(dirname(file), name), { force: true }).catch(() => undefined)
  }
}

/** So that the name of a new file is on disk as well. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
