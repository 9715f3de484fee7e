import type { EmbeddedStore } from '../connectors/embedded/store/embeddedStore.ts'
import { TidemarkError } from '../core/errors.ts'
import type { OutputRecord } from '../core/record.ts'
import type { Sample } from '../runtime/job/sample.ts'
import type { CommandContext } from './commandContext.ts'
import type { RunRequest } from './runRequest.ts'

/**
 * Fills an empty store with the job's sample, all of it or nothing, and resolves with whether it has. A directory that has data is left as it is; there, and
 * for a job without a sample, `--records` is refused with `invalid-input`.
 */
export async function loadSample(
  context: CommandContext,
  { loaded, settings, records }: RunRequest,
  store: EmbeddedStore,
): Promise<boolean> {
  const { job, path } = loaded
  if (job.sample === undefined) {
    if (records === null) return false
    throw new TidemarkError('invalid-input', `${path} has no sample to generate: leave --records out.`)
  }
  if (!store.isEmpty()) {
    if (records === null) return false
    throw new TidemarkError(
      'invalid-input',
      '--records fills an empty data directory, and this one has data. Name another one with --data-dir, or add --fresh, which deletes all that is in this one.',
    )
  }
  const sample = job.sample({ records }, settings.job)
  let count = 0
  const counted = function* (): Generator<OutputRecord> {
    for (const record of sampleRecords(sample)) {
      count += 1
      yield record
    }
  }
  await store.loadSample({ records: counted(), tables: sample.tables })
  const tables = sample.tables.length === 1 ? '1 table' : `${String(sample.tables.length)} tables`
  await context.out.line(`Loaded a sample into the empty directory: ${String(count)} messages and ${tables}`)
  return true
}

function* sampleRecords({ topics }: Sample): Generator<OutputRecord> {
  for (const [topic, records] of Object.entries(topics)) {
    for (const { key, value, timestamp, partition } of records) {
      yield {
        topic,
        partition: partition ?? null,
        key: typeof key === 'string' ? Buffer.from(key) : key,
        value: typeof value === 'string' ? Buffer.from(value) : value,
        headers: [],
        timestamp,
      }
    }
  }
}
