import { realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { isRight } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { Random } from '../core/ports/random.ts'
import { readOwnFile } from '../files/readOwnFile.ts'
import { replaceFile } from '../files/replaceFile.ts'

const fileName = 'instance.json'
const maxInstanceBytes = 64 * 1024

/** Who has the id, and where it was made: a copy of the directory is another process, and must not take its place. */
const storedInstance = t.strict({
  version: t.literal(1),
  id: t.string,
  host: t.string,
  directory: t.string,
})

/** What Kafka takes for a `group.instance.id`. */
const legalId = /^[\w.-]{1,249}$/

/**
 * The id by which the process in this slot is known again after its death: random, made at the first call and kept in the
 * slot's directory. On another host or under another path, as of a copied directory, it is made anew. The caller holds the
 * slot, so nobody else writes it.
 */
export async function slotInstanceId(
  slotDirectory: string,
  random: Pick<Random, 'hex'>,
  host: string = hostname(),
): Promise<string> {
  const directory = await realpath(slotDirectory)
  const file = path.join(directory, fileName)
  const stored = await readStored(file)
  if (stored?.host === host && stored.directory === directory) return stored.id
  const id = `tidemark-${random.hex(8)}`
  const instance = { version: 1, id, host, directory } satisfies t.TypeOf<typeof storedInstance>
  await replaceFile(file, JSON.stringify(instance), { durable: true })
  return id
}

/** Null where there is none, or none that can be read: then the process is a new one. */
async function readStored(file: string): Promise<t.TypeOf<typeof storedInstance> | null> {
  try {
    const decoded = storedInstance.decode(JSON.parse((await readOwnFile(file, maxInstanceBytes)) ?? ''))
    return isRight(decoded) && legalId.test(decoded.right.id) ? decoded.right : null
  } catch {
    return null
  }
}
