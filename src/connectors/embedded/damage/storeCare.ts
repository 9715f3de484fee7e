import { realpath } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { TidemarkError, codeOf } from '../../../core/errors.ts'
import type { Clock } from '../../../core/ports/clock.ts'
import type { Random } from '../../../core/ports/random.ts'
import { contentOf } from '../../../files/directoryNames.ts'
import { makeLevelDirectory } from '../../../files/makeOwnDirectory.ts'
import { nothingYet, openDataDirectory } from '../../../files/openDataDirectory.ts'
import { isMissing } from '../../../files/ownership.ts'
import type { ReadStore, StoreCare } from '../../../core/ports/storeCare.ts'
import { dataDirectory } from '../shared/holder.ts'
import { refuseHeld } from '../shared/heldDirectory.ts'
import { salvageStore, type SalvageReport } from './salvageStore.ts'
import { contentParts, damageTexts, salvageParts, type InspectedDirectory } from './storeTexts.ts'
import { inspectStore } from './verifyStore.ts'

/** What commands do for the store of a data directory, which they do not open. */
export function storeCare(
  directory: string,
  environment: { readonly clock: Clock; readonly random: Random },
): StoreCare {
  return {
    connect: () => Promise.resolve(),
    close: () => Promise.resolve(),
    async check(): Promise<ReadStore> {
      const inspected = await inspectDirectory(directory, environment.clock)
      return { parts: contentParts(inspected), damages: damageTexts(inspected) }
    },
    async salvage(to) {
      const { report, path, ...inspected } = await salvageDirectory(directory, to, environment)
      return { parts: salvageParts(report), damages: damageTexts(inspected), path }
    },
  }
}

/**
 * Reads the store of a data directory without opening it, whole or damaged, and changes nothing. Throws `directory-in-use`
 * while a job or a command has it open, `invalid-setting` where there is none, and what `openDataDirectory` throws.
 */
export async function inspectDirectory(directory: string, clock: Clock): Promise<InspectedDirectory> {
  let markerDamage: string | null = null
  const path = await openDataDirectory(directory, {
    purpose: 'read',
    damagedMarker(line) {
      markerDamage = line
    },
  })
  const paths = dataDirectory(path)
  await refuseHeld(paths, clock)
  const inspection = await inspectStore(paths.log)
  if (inspection === null) throw nothingYet(path)
  return { log: paths.log, inspection, markerDamage }
}

/**
 * Copies what is whole of a data directory's store into a new data directory, see `salvageStore`. Nothing is written to the
 * old one. Throws `invalid-input` where the new one is not new or empty; else as `inspectDirectory`.
 */
export async function salvageDirectory(
  directory: string,
  to: string,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
): Promise<InspectedDirectory & { readonly report: SalvageReport; readonly path: string }> {
  if (isWithin(await realPlace(directory), await realPlace(to))) {
    throw notNew(to, 'it is in the damaged one, into which nothing is written')
  }
  if (!(await isEmpty(to))) throw notNew(to, 'there is something in it')
  const inspected = await inspectDirectory(directory, clock)
  const path = await openDataDirectory(to, { purpose: 'write' })
  const log = await makeLevelDirectory(path, ['log'])
  const report = await salvageStore(inspected.log, inspected.inspection, log, random)
  return { ...inspected, report, path }
}

function isWithin(directory: string, path: string): boolean {
  const [first] = relative(directory, path).split(sep)
  return first !== '..'
}

/** Where something stands, or would be made: links above it are followed. */
async function realPlace(path: string): Promise<string> {
  const whole = resolve(path)
  try {
    return await realpath(whole)
  } catch (error) {
    if (!isMissing(error) && !isNoDirectory(error)) throw error
  }
  return join(await realPlace(dirname(whole)), basename(whole))
}

function isNoDirectory(error: unknown): boolean {
  return codeOf(error) === 'ENOTDIR'
}

function notNew(to: string, reason: string): TidemarkError {
  return new TidemarkError(
    'invalid-input',
    `${to} cannot take what is salvaged: ${reason}. Name a new or an empty directory`,
    { details: { path: to } },
  )
}

async function isEmpty(directory: string): Promise<boolean> {
  try {
    return (await contentOf(directory)).length === 0
  } catch (error) {
    if (isNoDirectory(error)) throw notNew(directory, 'it is no directory')
    throw error
  }
}
