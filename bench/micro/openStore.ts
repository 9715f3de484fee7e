/*
 * What it costs to open an embedded store: the reading of all of its files before LevelDB opens them, and the whole.
 *
 *   node bench/micro/openStore.ts [megabytes]
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { EmbeddedStore } from '../../src/connectors/embedded/store/embeddedStore.ts'
import { systemClock } from '../../src/core/ports/clock.ts'
import { verifyLevel } from '../../src/leveldb/verifyLevel.ts'

const valueBytes = 16 * 1024
/** About 1 MB. */
const chunk = 64
const runs = 5

const megabytes = Number(process.argv[2] ?? 1_000)
const directory = mkdtempSync(path.join(tmpdir(), 'tidemark-bench-'))
const log = path.join(directory, 'log')

try {
  const store = await open()
  for (let megabyte = 0; megabyte < megabytes; megabyte += 1) {
    await store.append(
      Array.from({ length: chunk }, (_, index) => ({
        topic: 'input',
        partition: index % 4,
        key: Buffer.from(String(megabyte * chunk + index)),
        value: randomBytes(valueBytes),
        headers: [],
        timestamp: 0,
      })),
    )
  }
  await store.close()
  for (let run = 0; run < runs; run += 1) {
    let startMs = performance.now()
    const { bytes } = await verifyLevel(log)
    const verifiedMs = performance.now() - startMs
    startMs = performance.now()
    const opened = await open()
    const openedMs = performance.now() - startMs
    await opened.close()
    console.log(
      `${(bytes / 1e6).toFixed(0)} MB: verified in ${verifiedMs.toFixed(0)} ms, opened in ${openedMs.toFixed(0)} ms`,
    )
  }
} finally {
  rmSync(directory, { recursive: true })
}

function open(): Promise<EmbeddedStore> {
  return EmbeddedStore.open(log, { clock: systemClock, partitions: 4 })
}
