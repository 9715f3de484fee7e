import path from 'node:path'
import { openDataDirectory } from '../../files/openDataDirectory.ts'
import { replaceFile } from '../../files/replaceFile.ts'
import type { Topics } from '../../core/ports/topics.ts'
import { fileFailure } from '../../files/fileFailure.ts'
import type { JobResult } from '../../runtime/metrics/jobMetrics.ts'
import type { OutputExample } from '../../runtime/plan/defineJob.ts'
import type { CommandContext } from '../commandContext.ts'
import { endOffsetsOf } from '../commands/readRecords.ts'
import { OutputClosed } from './printer.ts'
import type { RunRequest } from '../runTasks.ts'

/** Committed records of each output topic that examples are chosen from. */
const maxExamples = 1000

/** What a finished run has to tell. */
export interface FinishedRun {
  /** For people: `embedded`. */
  readonly world: string
  readonly dataDirectory: string
  readonly result: JobResult
  readonly outputs: readonly OutputExample[]
  /** Commands to copy. */
  readonly next: readonly string[]
}

/** What the finished run was about: the job's own words, where things are, and what to do next. */
export async function printSummary(
  context: CommandContext,
  { loaded, settings }: RunRequest,
  { world, dataDirectory, result, outputs, next }: FinishedRun,
): Promise<void> {
  const { out, io } = context
  const { job } = loaded
  const summary = job.summary?.({
    settings: settings.job,
    world,
    tallies: result.tallies,
    records: result.records,
    durationMs: result.durationMs,
    endedAtMs: io.clock.now(),
    outputs,
    style: (format, text) => out.style(format, text),
  })
  const rate = Math.round(result.records / Math.max(result.durationMs / 1000, 0.001))
  // A job whose input is held back has no words for that.
  const isHeldBack = result.records === 0 && result.undecided > 0
  const ownLines = (isHeldBack ? ['Nothing could be read yet.'] : summary?.lines) ?? [
    result.records === 0
      ? 'Nothing new: everything in the input has been read before.'
      : `${String(result.records)} records in ${(result.durationMs / 1000).toFixed(1)} s, ${String(rate)} a second`,
  ]
  await out.line()
  for (const line of ownLines) await out.line(line)
  if (result.undecided > 0) await out.line(undecidedLine(result.undecided, loaded.path))
  await out.line()
  await out.line(`Data directory  ${dataDirectory}`)
  const html = summary?.reportHtml ?? null
  if (html !== null) await printReport(context, dataDirectory, context.secrets.maskHtml(html))
  if (next.length > 0) await out.line('Next')
  for (const command of next) await out.line(`  ${out.style('cyan', command)}`)
}

/** Where the page of the last run is. */
export function reportPath(dataDirectory: string): string {
  return path.join(dataDirectory, 'report.html')
}

/** The run is done and committed, whatever becomes of its page. In the real world nothing else may have made the directory. */
async function printReport({ out, err }: CommandContext, dataDirectory: string, html: string): Promise<void> {
  try {
    const file = reportPath(await openDataDirectory(dataDirectory, { purpose: 'write' }))
    await replaceFile(file, html)
    await out.line(`Report          ${file}`)
  } catch (error) {
    if (error instanceof OutputClosed) throw error
    const { message } = fileFailure(error, `The report in ${dataDirectory} could not be written`, {})
    await err.line(`Warning: ${message}. The run is done, and what it has committed is there.`)
  }
}

function undecidedLine(records: number, job: string): string {
  const what = records === 1 ? 'One record waits' : `Up to ${String(records)} records wait`
  return `${what} behind a transaction that is not ended yet: npx tidemark doctor ${job} names its producer.`
}

/** The first or the last committed records of some topics; none of a topic that is not there. */
export async function outputExamples(
  store: Pick<Topics, 'describeTopic' | 'readPage'>,
  topics: readonly string[],
  which: 'first' | 'last',
): Promise<readonly OutputExample[]> {
  const found: OutputExample[] = []
  for (const topic of topics) {
    // Only these are asked for: a cluster may have thousands, and the process is to end.
    const ends = await endOffsetsOf(store, topic)
    const limit = Math.ceil(maxExamples / ends.length)
    for (const [partition, end] of ends.entries()) {
      const from = which === 'first' ? 0 : Math.max(0, end - limit)
      const { records } = await store.readPage({ topic, partition, from, limit })
      for (const { key, raw } of records) {
        found.push({ topic, key: key?.toString() ?? null, value: raw?.toString() ?? null })
      }
    }
  }
  return found
}
