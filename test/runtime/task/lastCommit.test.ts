import { describe, expect, it } from 'vitest'
import type { CommitRecord } from '../../../src/core/changelogRecords.ts'
import { encodeCommitMetadata } from '../../../src/core/commitMetadata.ts'
import { TidemarkError } from '../../../src/core/errors.ts'
import type { CommitMetadata } from '../../../src/core/ports/task.ts'
import type { ChangelogTail, CommitTraces } from '../../../src/runtime/task/commitTraces.ts'
import { lastCommit, type LastCommit } from '../../../src/runtime/task/lastCommit.ts'
import { commitMetadata } from '../../support/commitMetadata.ts'
import { offsetFormat, offsetOf, offsetPosition } from '../../../src/core/offsetPosition.ts'

const task = { partition: 0, topics: ['a', 'b'], groupId: 'group', format: offsetFormat }
const metadata = commitMetadata({ epoch: 5, nonce: 'n', lineage: 'l', generation: 2, inputs: 2, changelogEnd: 40 })
const record: CommitRecord = {
  groupId: 'group',
  positions: new Map([
    ['a', { position: 1 }],
    ['b', { position: 2 }],
  ]),
  commit: metadata,
}
const nothing: ChangelogTail = {
  empty: true,
  lineage: null,
  commit: null,
  goesOn: false,
  generation: null,
  end: 41,
}

/** `null`: an offset without metadata. */
function traces(
  of: Readonly<Record<string, CommitMetadata | null>>,
  commit: CommitRecord | null,
  changelog: Partial<ChangelogTail> = {},
): CommitTraces {
  const offset: Readonly<Record<string, number>> = { a: 1, b: 2 }
  const found = Object.entries(of)
  return {
    committed: new Map(
      found.map(([topic, its]) => [
        topic,
        { position: offsetPosition(offset[topic] ?? 0), metadata: its === null ? '' : encodeCommitMetadata(its) },
      ]),
    ),
    metadata: new Map(found.flatMap(([topic, its]) => (its === null ? [] : [[topic, its] as const]))),
    foreign: [],
    changelog: {
      ...nothing,
      empty: commit === null,
      commit,
      generation: commit?.commit.generation ?? null,
      ...changelog,
    },
  }
}

describe('the last commit', () => {
  it.each([
    ['nothing at all: there was none', traces({}, null), null],
    ['offsets of another consumer alone: there was none', traces({ a: null, b: null }, null), null],
    ['metadata of all inputs', traces({ a: metadata, b: metadata }, null), []],
    ['metadata of all inputs and its own record', traces({ a: metadata, b: metadata }, record), []],
    [
      'metadata that is newer than the record',
      traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, epoch: 4, nonce: 'm' } }),
      [],
    ],
    [
      'metadata of a later generation than the record',
      traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, epoch: 9, generation: 1 } }),
      [],
    ],
    ['metadata of one input and its record', traces({ a: metadata }, record), ['b']],
    ['the record alone', traces({}, record), ['a', 'b']],
  ])('is found in %s', (_, found, refilled) => {
    const last = lastCommit(task, found)
    if (refilled === null) expect(last).toBeNull()
    else {
      expect(last).toMatchObject({ refilled })
      const committed = last === null || last instanceof TidemarkError ? [] : [...last.committed]
      expect(committed.map(([topic, { position }]) => [topic, offsetOf(position)])).toEqual([
        ['a', 1],
        ['b', 2],
      ])
    }
  })

  it('names the inputs that it was of and that the task has no more', () => {
    const positions = new Map([
      ['a', { position: 1 }],
      ['c', { position: 1 }],
    ])
    expect(lastCommit(task, traces({ a: metadata }, { ...record, positions }))).toMatchObject({
      left: ['c'],
      refilled: [],
    })
    expect(lastCommit(task, traces({}, { ...record, positions }))).toMatchObject({ left: ['c'], refilled: ['a'] })
  })

  it('goes on at the older offset of an input that has come back, where the record says that it was away', () => {
    const older = { ...metadata, epoch: 2, nonce: 'older' }
    const positions = new Map([['a', { position: 1 }]])
    const found = traces({ a: { ...metadata, inputs: 1 }, b: older }, { ...record, positions })
    const last = lastCommit(task, found)
    expect(last).toMatchObject({ metadata: { epoch: metadata.epoch }, left: [] })
    expect([...(last as LastCommit).committed.keys()]).toEqual(['a', 'b'])
  })

  it('stands at the end of the changelog where the record alone tells of it', () => {
    expect(lastCommit(task, traces({}, record))).toMatchObject({ metadata: { ...metadata, changelogEnd: 41 } })
  })

  it.each([
    ['fewer inputs carry metadata than it says', traces({ a: metadata }, null)],
    ['the input that carries none was set by hand', traces({ a: metadata, b: null }, record)],
    [
      'the record of the missing input is another commit',
      traces({ a: metadata }, { ...record, commit: { ...metadata, epoch: 4 } }),
    ],
    [
      'the record of the missing input is another attempt',
      traces({ a: metadata }, { ...record, commit: { ...metadata, nonce: 'm' } }),
    ],
    [
      'the record of the missing input is another lineage',
      traces({ a: metadata }, { ...record, commit: { ...metadata, lineage: 'm' } }),
    ],
    ['epochs differ', traces({ a: metadata, b: { ...metadata, epoch: 4 } }, null)],
    ['attempts differ', traces({ a: metadata, b: { ...metadata, nonce: 'm' } }, null)],
    ['lineages differ', traces({ a: metadata, b: { ...metadata, lineage: 'm' } }, null)],
    ['the record is newer', traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, epoch: 6 } })],
    [
      'the record is of a later generation',
      traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, epoch: 0, generation: 3 } }),
    ],
    [
      'the record is another attempt',
      traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, nonce: 'm' } }),
    ],
    [
      'the record is another lineage',
      traces({ a: metadata, b: metadata }, { ...record, commit: { ...metadata, lineage: 'm' } }),
    ],
    ['offsets were set by hand', traces({ a: null }, record)],
    ['the changelog has no record', traces({}, null, { empty: false, generation: 0 })],
    ['the changelog goes on behind its record', traces({}, record, { goesOn: true })],
    ['the record is of an earlier lineage', traces({}, record, { lineage: { lineage: 'm', generation: 3 } })],
  ])('cannot be told where %s', (_, found) => {
    const last = lastCommit(task, found)
    expect(last).toBeInstanceOf(TidemarkError)
    expect(last).toMatchObject({
      code: 'commit-metadata-lost',
      message: expect.stringContaining('--reset-offsets') as unknown,
    })
  })

  it.each([
    ['and offsets of this one were never committed', traces({}, { ...record, groupId: 'another' })],
    ['and offsets of this one were set by hand', traces({ a: null }, { ...record, groupId: 'another' })],
    [
      'that went on after this one',
      traces(
        { a: metadata, b: metadata },
        { ...record, groupId: 'another', commit: { ...metadata, generation: 9, lineage: 'm' } },
      ),
    ],
  ])('is not this deployment’s where the record is of another group %s', (_, found) => {
    expect(lastCommit(task, found)).toMatchObject({
      code: 'job-name-in-use',
      message: expect.stringMatching(/consumer group another, .*--job\.name.*--reset-offsets/) as unknown,
    })
  })
})
