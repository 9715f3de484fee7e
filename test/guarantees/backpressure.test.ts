import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { map } from 'rxjs'
import { expect, it } from 'vitest'
import { asyncLookup } from '../../operators/asyncLookup.ts'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { sleep, systemClock } from '../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../src/core/record.ts'
import { defineJob } from '../../src/runtime/plan/defineJob.ts'
import { startOnStore } from '../support/startOnStore.ts'

const records = 1_000_000
const valueBytes = 160

const collectGarbage = (): void => {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  gc()
}

/** Heap and the buffers outside of it, in MiB, after a collection. */
function heldMiB(): number {
  collectGarbage()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / 2 ** 20
}

it('a million queued records behind slow lookups take a flat heap, because the gate closes', async () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-backpressure-'))
  const store = await EmbeddedStore.open(path.join(directory, 'log'), { clock: systemClock, partitions: 4 })
  try {
    const value = Buffer.alloc(valueBytes, 'v')
    const record: OutputRecord = { topic: 'input', partition: null, key: null, value, headers: [], timestamp: 0 }
    const chunk = Array.from({ length: 50_000 }, () => record)
    for (let written = 0; written < records; written += chunk.length) await store.append(chunk)

    let inside = 0
    let mostInside = 0
    const before = heldMiB()
    const job = defineJob({
      name: 'slow',
      pipeline: (context) =>
        fromKafka(context, { topic: 'input', groupId: 'slow' }).pipe(
          map((read) => {
            inside += 1
            mostInside = Math.max(mostInside, inside)
            return read
          }),
          asyncLookup(context, {
            lookup: async () => {
              await sleep(systemClock, 20)
              return 'row'
            },
            wait: 'unordered',
            capacity: 1000,
          }),
          map((read) => {
            inside -= 1
            return read.withValue(read.raw)
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
    })
    const settings = { 'checkpoint.interval.ms': '500', 'checkpoint.min.pause.ms': '0' }
    const running = startOnStore(job, store, { directory, settings })
    const held: number[] = []
    for (let look = 0; look < 8; look += 1) {
      await sleep(systemClock, 500)
      held.push(heldMiB())
    }
    running.stop()
    const result = await running.finished
    // 176 MB are queued; four tasks keep a bounded piece of it each.
    const growth = Math.max(...held) - before
    process.stdout.write(
      `held before ${before.toFixed(0)} MiB, while running ${held.map((mib) => mib.toFixed(0)).join(' ')} MiB\n`,
    )
    expect(result.gate.closures).toBeGreaterThan(0)
    expect(mostInside).toBeLessThanOrEqual(4 * 1000)
    expect(result.records).toBeGreaterThan(0)
    expect(result.records).toBeLessThan(records)
    expect(growth).toBeLessThan(64)
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}, 120_000)
