import { describe, expect, it } from 'vitest'
import { from } from 'rxjs'
import { mapWithState, type MapWithStateOptions } from '../../operators/mapWithState.ts'
import type { DeadLetter } from '../../src/core/deadLetter.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { attemptStub, type AttemptStubOptions } from '../support/attemptStub.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const keyed = (...keys: (string | null)[]): StreamRecord[] =>
  keys.map((key, offset) => sampleRecord('', { key, offset }))

const counting: MapWithStateOptions<Buffer | null, number, number> = {
  uid: 'counts',
  initial: () => 0,
  update: (count) => ({ state: count + 1, output: count + 1 }),
}

async function run<S, U>(
  records: readonly StreamRecord[],
  options: MapWithStateOptions<Buffer | null, S, U>,
  attemptOptions: AttemptStubOptions = {},
) {
  const attempt = attemptStub(attemptOptions)
  const deadLetters = attempt.sideOutput<DeadLetter>('dead-letters')
  const outputs: U[] = []
  const mapped$ = from(records).pipe(mapWithState(attempt.context, { onError: deadLetters, ...options }))
  await mapped$.forEach(({ value }) => outputs.push(value))
  return { attempt, outputs, dead: deadLetters.emitted.map(({ error, offset }) => [error.code, offset]) }
}

describe('mapWithState', () => {
  it('maps each record with the state of its own key', async () => {
    const { outputs, attempt } = await run(keyed('a', 'b', 'a', 'a', ''), counting)
    expect(outputs).toEqual([1, 1, 2, 3, 1])
    expect([...(attempt.states.get('counts') ?? [])].map(([key, bytes]) => [key, bytes.toString()])).toEqual([
      ['61', '3'],
      ['62', '1'],
      ['', '1'],
    ])
    expect(attempt.steps[0]?.spec).toMatchObject({ kind: 'mapWithState', uid: 'counts' })
  })

  it('gives the key to the initial state, and forgets a key whose state becomes undefined', async () => {
    const { outputs, attempt } = await run<string, string>(keyed('a', 'a', 'a'), {
      uid: 'u',
      initial: (key) => `new ${key.toString()}`,
      update: (state) => ({ state: state === 'seen' ? undefined : 'seen', output: state }),
    })
    expect(outputs).toEqual(['new a', 'seen', 'new a'])
    expect(attempt.states.get('u')?.size).toBe(1)
  })

  it('does not delete what was never there', async () => {
    const attempt = attemptStub()
    const deleted: unknown[] = []
    const state = (): never =>
      ({ get: () => undefined, set: () => undefined, delete: (key: unknown) => deleted.push(key) }) as never
    const context = { ...attempt.context, state }
    const forget = mapWithState(context, { ...counting, update: () => ({ state: undefined, output: 0 }) })
    await from(keyed('a'))
      .pipe(forget)
      .forEach(() => undefined)
    expect(deleted).toEqual([])
  })

  it('refuses a record without a key, and goes on', async () => {
    const { outputs, dead } = await run(keyed('a', null, 'a'), counting)
    expect(outputs).toEqual([1, 2])
    expect(dead).toEqual([['missing-key', 1]])
  })

  it('refuses a record whose state would be too large, and keeps the state before', async () => {
    const growing: MapWithStateOptions<Buffer | null, string, number> = {
      uid: 'u',
      initial: () => '',
      update: (state) => ({ state: state === '' ? 'x' : state.repeat(100), output: state.length }),
    }
    const { outputs, dead } = await run(keyed('a', 'a', 'a'), growing, { maxStateBytes: 50 })
    expect(outputs).toEqual([0])
    expect(dead).toEqual([
      ['state-too-large', 1],
      ['state-too-large', 2],
    ])
  })

  it('fails the epoch when update throws, or makes a state that JSON does not keep', async () => {
    const throwing = run(keyed('a'), {
      ...counting,
      update: () => {
        throw new Error('bug')
      },
    })
    await expect(throwing).rejects.toThrow('bug')
    const dates = run(keyed('a'), {
      uid: 'u',
      initial: () => ({ at: new Date() }),
      update: (state) => ({ state, output: 0 }),
    })
    await expect(dates).rejects.toMatchObject({ code: 'pipeline-failed' })
  })

  it('uses the codec it is given', async () => {
    const codec = { encode: (n: number) => Buffer.from([n]), decode: (bytes: Buffer) => bytes[0] ?? 0 }
    const { attempt, outputs } = await run(keyed('a', 'a'), { ...counting, codec })
    expect(outputs).toEqual([1, 2])
    expect(attempt.states.get('counts')?.get('61')).toEqual(Buffer.from([2]))
  })

  it.each([
    [{ uid: '' }, 'uid'],
    [{ initial: 0 }, 'initial'],
    [{ update: undefined }, 'update'],
  ])('refuses %j when the pipeline is built', (options, option) => {
    const wrong = { ...counting, ...options } as typeof counting
    expect(() => mapWithState(attemptStub().context, wrong)).toThrow(`mapWithState: option ${option} must be `)
  })
})
