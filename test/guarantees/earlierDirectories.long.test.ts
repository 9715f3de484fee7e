import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDataDirectory } from '../../src/files/openDataDirectory.ts'
import { earlierVersion, type EarlierVersion } from '../support/earlierVersion.ts'

const kills = 20
const lastKillMs = 4_000

/** Takes a slot and writes state in it as version 0.1.0 does on Kafka, until it is killed. */
const slotProgram = `
import { takeSlot } from './src/state/slot.ts'
import { LevelStateStore } from './src/state/levelStateStore.ts'
const slot = await takeSlot(process.argv[2], null)
const store = new LevelStateStore(await slot.storeDirectory('source-0'))
await store.open()
for (let epoch = 1; ; epoch += 1) {
  const position = { epoch, nonce: 'n', lineage: 'l', generation: 0, changelogEnd: epoch, appliedAtMs: 0 }
  await store.apply([{ key: Buffer.from('k'), value: Buffer.alloc(10_000) }], position)
}
`

let version: EarlierVersion
let above: string

beforeAll(() => {
  version = earlierVersion()
  writeFileSync(path.join(version.checkout, 'slotProgram.ts'), slotProgram)
  above = mkdtempSync(path.join(tmpdir(), 'tidemark-killed-'))
})
afterAll(() => {
  version.remove()
  rmSync(above, { recursive: true, force: true })
})

/** Runs a program of version 0.1.0 and kills it after some time. */
async function killed(args: readonly string[], afterMs: number): Promise<void> {
  const child = spawn(process.execPath, args, { cwd: version.checkout, stdio: 'ignore' })
  const exit = once(child, 'exit')
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  child.kill('SIGKILL')
  await exit
}

it('directories that killed processes of version 0.1.0 leave in both worlds are recognised, whenever they were killed', async () => {
  const found = new Set<string>()
  for (let n = 0; n < kills; n += 1) {
    const directory = path.join(above, String(n))
    const afterMs = (lastKillMs * (n + 1)) / kills
    if (n % 4 === 3) {
      const job = path.join(directory, 'MkU3OEVBNTcwNTJENDM2Qg', 'count')
      await killed(['slotProgram.ts', job], afterMs)
    } else {
      const run = ['src/cli/tidemark.js', 'run', 'jobs/reconcile.ts', '--data-dir', directory, '--dashboard.port=0']
      await killed(n % 4 === 2 ? [...run, '--follow'] : run, afterMs)
    }
    mkdirSync(directory, { recursive: true })
    for (const name of readdirSync(directory)) found.add(name)
    const notes: string[] = []
    const isEmpty = readdirSync(directory).length === 0
    await openDataDirectory(directory, { purpose: 'write', note: (line) => notes.push(line) })
    expect({ n, notes: notes.length }).toEqual({ n, notes: isEmpty ? 0 : 1 })
  }
  // It was killed soon enough and late enough to have left everything.
  expect([...found]).toEqual(expect.arrayContaining(['log', 'control', 'holder.json', 'MkU3OEVBNTcwNTJENDM2Qg']))
}, 300_000)
