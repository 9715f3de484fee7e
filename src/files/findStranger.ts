import type { Dirent } from 'node:fs'
import { join } from 'node:path'
import { contentOf, isLevelContent } from './directoryNames.ts'
import { readOwnFile } from './ownership.ts'

/**
 * What version 0.1.0 (commit 10bdeee) leaves in a data directory, which has no marker: in the embedded world `log`,
 * `holder.json`, `control`, `embedded/<job>/0/source-<n>` and `report.html`; on Kafka
 * `<cluster>/<job>/<slot>/slot` with `source-<n>` beside it, and `report.html`. Each of them whole, or as a kill at any
 * moment leaves it. A directory of somebody else's that has some of these names has other content under them.
 *
 * Gives the first name that does not belong; null where all do.
 */
export async function findStranger(directory: string, markerName: string): Promise<string | null> {
  const entries = (await contentOf(directory)).filter(({ name }) => name !== markerName)
  const names = new Set(entries.map(({ name }) => name))
  const log = entries.find(({ name }) => name === 'log')
  const hasLog = log?.isDirectory() === true && (await contentOf(join(directory, 'log'))).length > 0
  let hasSlots = false
  const belongs = async (entry: Dirent): Promise<boolean> => {
    const { name } = entry
    const path = join(directory, name)
    if (name === 'report.html') return entry.isFile()
    // Made before anything else: an empty one stands alone.
    if (name === 'log') {
      return entry.isDirectory() && isLevelContent(await contentOf(path)) && (hasLog || names.size === 1)
    }
    // A command of this version that only read has left it beside the log.
    if (name === 'log.witness') return hasLog && entry.isFile()
    if (/^holder\.json((\.\d+-\d+)?\.next)?$/.test(name)) {
      return hasLog && entry.isFile() && isHolder(await readOwnFile(path, maxHolderBytes), name)
    }
    if (name === 'control') return hasLog && entry.isDirectory() && (await contentOf(path)).every(isControlSocket)
    if (name === 'embedded') return hasLog && entry.isDirectory() && areJobs(path, (slot) => slot === '0', isTask)
    const isSlots = entry.isDirectory() && (await isCluster(path, name))
    hasSlots ||= isSlots
    return isSlots
  }
  for (const entry of entries) if (!(await belongs(entry))) return entry.name
  if (!names.has('report.html') || hasLog || hasSlots) return null
  // On Kafka a job without state has left its report and nothing else.
  const report = await readOwnFile(join(directory, 'report.html'), maxReportBytes)
  return report?.startsWith(reportBegins) === true && report.includes('<title>Reconcile report, ')
    ? null
    : 'report.html'
}

const maxHolderBytes = 64 * 1024
const maxReportBytes = 16 * 1024 * 1024
const reportBegins = '<!doctype html>\n<html lang="en">\n'

const legalName = /^[\w.-]{1,255}$/
const legalJobName = /^[\w.-]{1,100}$/
/** As Kafka makes the id of a cluster; `kafka` stands for one without. */
const clusterId = /^([\w-]{22}|kafka)$/

/** Whole, or as far as it was written when the process or the machine ended. */
function isHolder(text: string | null, name: string): boolean {
  if (text === null) return false
  if (text === '') return true
  if (name.endsWith('.next') && ('{"kind":"'.startsWith(text) || text.startsWith('{"kind":"'))) return true
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return false
    return Object.keys(value).toSorted().join(' ') === 'job kind pid socket'
  } catch {
    return false
  }
}

function isControlSocket(entry: Dirent): boolean {
  return entry.name === 'socket' && entry.isSocket()
}

/** The store of a task. */
async function isTask(path: string, name: string): Promise<boolean> {
  return /^source-\d{1,9}$/.test(name) && isLevelContent(await contentOf(path))
}

/** What stands in a slot: its lock, and the stores of tasks. `instance.json` came a little later, without a marker. */
async function isInSlot(path: string, name: string): Promise<boolean> {
  if (name === 'slot') return isLevelContent(await contentOf(path))
  return isTask(path, name)
}

/** `<job>/<slot>/<what is in it>`; each level may be empty. */
async function areJobs(
  directory: string,
  isSlot: (name: string) => boolean,
  isContent: (path: string, name: string) => Promise<boolean>,
): Promise<boolean> {
  for (const job of await contentOf(directory)) {
    if (!job.isDirectory() || !legalJobName.test(job.name)) return false
    for (const slot of await contentOf(join(directory, job.name))) {
      if (!slot.isDirectory() || !isSlot(slot.name)) return false
      const place = join(directory, job.name, slot.name)
      for (const entry of await contentOf(place)) {
        if (entry.isFile() && /^instance\.json(\.next)?$/.test(entry.name)) continue
        if (!entry.isDirectory() || !(await isContent(join(place, entry.name), entry.name))) return false
      }
    }
  }
  return true
}

/** A lock says that it is one; without it only directories that are empty down to the last, under an id that Kafka makes. */
async function isCluster(path: string, name: string): Promise<boolean> {
  if (!legalName.test(name)) return false
  let locks = 0
  let stores = 0
  const isFine = await areJobs(
    path,
    (slot) => /^\d{1,4}$/.test(slot),
    async (place, entry) => {
      const isLock = entry === 'slot'
      if ((await contentOf(place)).length > 0) {
        if (isLock) locks += 1
        else stores += 1
      }
      return isInSlot(place, entry)
    },
  )
  return isFine && (locks > 0 || (stores === 0 && clusterId.test(name)))
}
