import { link, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { messageOf } from '../../../src/core/errors.ts'
import type { ChangelogEntry } from '../../../src/core/ports/changelog.ts'
import { stateEntryKey } from '../../state/stateEntryKey.ts'
import { lineageEntry } from '../../../src/state/changelogRecords.ts'
import { LevelStateStore } from '../../../src/state/levelStateStore.ts'
import { restore } from '../../../src/state/restore.ts'
import type { CommittedState } from '../../../src/state/stateStore.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import { TestLogger } from '../../../src/testing/kit/testLogger.ts'
import { damageKinds, damageStore } from './randomDamage.ts'
import type { TrialReport } from './runTrials.ts'

/*
 * Damages stores of keyed state at random and lets the task go on: `node stateTrials.ts <trials> <seed>`. Each trial takes a
 * store that its process has left behind a few commits ago, damages one file, recovers to the last commit, and compares all
 * values with those that the changelog makes. Says as one line of JSON what came out, and never throws: an abort of the
 * process, or an error that is none of ours, is for the caller to see.
 */

const [trials = 0, seed = 1] = process.argv.slice(2).map(Number)
const random = seededRandom(seed)
const below = (count: number): number => Math.floor(random.next() * count)
const clock = new ManualClock(1_700_000_000_000)
const lineage = { lineage: 'a', generation: 0 }
const keys = 150
const place = await mkdtemp(path.join(tmpdir(), 'tidemark-trials-'))

/** A store as its process left it, and the changelog that has gone on since. */
interface Left {
  readonly directory: string
  readonly changelog: readonly ChangelogEntry[]
  readonly committed: CommittedState
  readonly values: ReadonlyMap<string, string>
}

const keyOf = (key: number): Buffer => stateEntryKey(0, 'count', Buffer.from(`key ${String(key)}`))

async function leave(name: string): Promise<Left> {
  const directory = path.join(place, name)
  const changelog: ChangelogEntry[] = [lineageEntry(lineage)]
  const values = new Map<string, string>()
  const open = async (): Promise<LevelStateStore> => {
    const opened = new LevelStateStore(directory, { log: new TestLogger(), writeBufferBytes: 64 * 1024 })
    await opened.open()
    return opened
  }
  let store = await open()
  const epochs = 10 + below(10)
  // The last commits did not come to the store any more; sometimes they did.
  const behind = below(3)
  let epoch = 0
  for (; epoch < epochs; epoch += 1) {
    const delta = Array.from({ length: 1 + below(60) }, (): ChangelogEntry => {
      const key = below(keys)
      const size = below(100) === 0 ? below(50_000) : below(300)
      const value = below(6) === 0 ? null : Buffer.alloc(size, `${String(epoch)} ${String(below(1e9))} `)
      if (value === null) values.delete(keyOf(key).toString('latin1'))
      else values.set(keyOf(key).toString('latin1'), value.toString('latin1'))
      return { key: keyOf(key), value }
    })
    changelog.push(...delta)
    if (epoch < epochs - behind)
      await store.apply(delta, { ...positionAt(epoch, changelog.length), appliedAtMs: clock.now() })
    // What a start leaves: a table of what was in the log, and a log anew.
    if (epoch < epochs - behind - 1 && below(5) === 0) {
      await store.close()
      store = await open()
    }
  }
  await store.close()
  return { directory, changelog, committed: positionAt(epoch - 1, changelog.length), values }
}

function positionAt(epoch: number, changelogEnd: number): CommittedState {
  return { ...lineage, epoch, nonce: `nonce ${String(epoch)}`, changelogEnd }
}

/** Files that LevelDB replaces and never changes are shared. */
async function copyOf(directory: string, to: string): Promise<void> {
  await mkdir(to)
  for (const name of await readdir(directory)) await link(path.join(directory, name), path.join(to, name))
}

/** How the task came to go on; or what was wrong. */
async function goOn(directory: string, { changelog, committed, values }: Left): Promise<string> {
  const log = new TestLogger()
  const store = new LevelStateStore(directory, { log })
  try {
    await store.open()
    const outcome = await restore(
      store,
      committed,
      {
        range: () => Promise.resolve({ start: 0, end: changelog.length }),
        async *read(from, to) {
          yield await Promise.resolve(changelog.slice(from, to))
        },
      },
      { clock },
    )
    for (let key = 0; key < keys; key += 1) {
      const found = store.get(keyOf(key))?.toString('latin1')
      if (found !== values.get(keyOf(key).toString('latin1'))) return `wrong: key ${String(key)} has another value`
    }
    if (log.lines.length === 0) return outcome.plan === 'wipe' ? 'wrong: restored without a line' : 'as without damage'
    if (log.lines.length > 1 || outcome.plan !== 'wipe')
      return 'wrong: a doubtful store was not restored, or told twice'
    return 'restored'
  } catch (error) {
    return `wrong: ${messageOf(error)}`
  } finally {
    await store.close()
  }
}

const outcomes: Record<string, Record<string, number>> = {}
const wrong: string[] = []
const tried = async (left: Left, trial: number): Promise<boolean> => {
  const kind = damageKinds[trial % damageKinds.length] ?? 'bit'
  const directory = path.join(place, 'trial')
  await copyOf(left.directory, directory)
  const what = await damageStore(directory, kind, random)
  if (what !== null) {
    const outcome = await goOn(directory, left)
    const counts = (outcomes[kind] ??= {})
    counts[outcome] = (counts[outcome] ?? 0) + 1
    if (outcome.startsWith('wrong')) wrong.push(`${what}: ${outcome}`)
  }
  await rm(directory, { recursive: true, force: true })
  return what !== null
}

try {
  let left = await leave('0')
  for (let trial = 0; trial < trials;) {
    if (await tried(left, trial)) {
      trial += 1
      if (trial % 50 === 0) {
        await rm(left.directory, { recursive: true })
        left = await leave(String(trial))
      }
    }
  }
} finally {
  await rm(place, { recursive: true, force: true })
}
process.stdout.write(JSON.stringify({ outcomes, wrong } satisfies TrialReport))
