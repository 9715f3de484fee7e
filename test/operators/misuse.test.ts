import * as t from 'io-ts'
import { map } from 'rxjs'
import { describe, expect, test } from 'vitest'
import {
  asyncLookup,
  decodeJson,
  defineJob,
  filterValue,
  fromKafka,
  mapValue,
  mapWithState,
  sha256Hash,
  sideOutput,
  toKafkaTransactional,
  type DeadLetter,
  type PipelineContext,
  type StreamRecord,
} from 'tidemark'
import { record, runJob, testTopic, TestWorld } from 'tidemark/testing'

// What a job in JavaScript, or one with `any`, may write; TypeScript refuses nearly all of it.
/* oxlint-disable typescript/no-explicit-any, typescript/no-unsafe-argument, typescript/no-unsafe-return */
type Wrong = any
type Operator = (source$: Wrong) => Wrong
type MakeOperators = (context: PipelineContext, onError: Wrong) => readonly Operator[]

const sink =
  (options: Wrong = {}): MakeOperators =>
  (context, onError) => [toKafkaTransactional(context, { topic: 'out', onError, ...options }) as Operator]
const mapped =
  (mapper: (value: Wrong) => Wrong): MakeOperators =>
  (context, onError) => [map(mapper) as Operator, ...sink()(context, onError)]
const stateful =
  (options: Wrong): MakeOperators =>
  (context, onError) => [
    mapWithState(context, {
      uid: 'u',
      initial: () => 0,
      update: () => ({ state: 1, output: 'x' }),
      onError,
      ...options,
    }) as Operator,
    ...sink()(context, onError),
  ]
const looked =
  (lookup: Wrong): MakeOperators =>
  (context, onError) => [asyncLookup(context, { lookup, wait: 'ordered', onError }) as Operator]

const noRecord = 'Let the function before it keep the record'
const isAsync = 'async functions return promises: await in the lookup function of asyncLookup'
const isMissing = 'is a return missing?'

const mistakes: readonly (readonly [mistake: string, operators: MakeOperators, sentences: readonly string[]])[] = [
  [
    'map returns a plain object',
    mapped(() => ({ id: 1 })),
    ['toKafkaTransactional: it was given a plain object instead of a record.', 'JSON.stringify'],
  ],
  ['map returns a string', mapped(() => 'text'), ['it was given a string instead of a record.', noRecord]],
  ['map returns nothing', mapped(() => undefined), ['it was given undefined instead of a record.', isMissing]],
  ['map is async', mapped(async (each) => each), ['it was given a Promise instead of a record.', isAsync]],
  [
    'map is async, before decodeJson',
    (context, onError) => [map(async (each) => each), decodeJson(context, t.unknown, { onError }) as Operator],
    ['decodeJson: it was given a Promise instead of a record.', isAsync],
  ],
  [
    'map is async, before mapWithState',
    (context, onError) => [map(async (each) => each), ...stateful({})(context, onError)],
    ['mapWithState: it was given a Promise', isAsync],
  ],
  [
    'map returns a value, before asyncLookup',
    (context, onError) => [map(({ value }: Wrong) => value), ...looked(async () => null)(context, onError)],
    ['asyncLookup: it was given a Buffer instead of a record.', noRecord],
  ],
  [
    'map returns a value, before sha256Hash',
    () => [map(({ value }: Wrong) => value), sha256Hash({ messageAs: 'a', rowAs: 'b' }) as Operator],
    ['sha256Hash: it was given a Buffer', noRecord],
  ],
  [
    'mapValue is async',
    (context, onError) => [mapValue(async (value) => value) as Operator, ...sink()(context, onError)],
    ['mapValue (in 0@0): the function returned a Promise.', isAsync],
  ],
  [
    'map returns a value, before mapValue',
    () => [map(({ value }: Wrong) => value), mapValue((value) => value) as Operator],
    ['mapValue: it was given a Buffer', noRecord],
  ],
  [
    'filterValue is async',
    () => [filterValue((async () => true) as Wrong) as Operator],
    ['filterValue (in 0@0): the function returned a Promise, and has to return true or false.', isAsync],
  ],
  [
    'filterValue returns nothing',
    () => [filterValue((() => undefined) as Wrong) as Operator],
    ['filterValue (in 0@0): the function returned undefined', isMissing],
  ],
  [
    'the value is a plain object',
    mapped((each: StreamRecord) => each.withValue<unknown>({ id: 1 })),
    [
      "toKafkaTransactional (in 0@0): the output's value is a plain object, and has to be bytes, a string or null.",
      'JSON.stringify(record.value)',
    ],
  ],
  [
    'the value is a number',
    mapped((each: StreamRecord) => each.withValue<unknown>(7)),
    ["the output's value is a number", 'String(record.value)'],
  ],
  [
    'the value is undefined',
    mapped((each: StreamRecord) => each.withValue<unknown>(undefined)),
    ["the output's value is undefined", isMissing],
  ],
  [
    'the value is a promise',
    mapped((each: StreamRecord) => each.withValue<unknown>(Promise.resolve('x'))),
    ["the output's value is a Promise", isAsync],
  ],
  [
    'the value is a Uint8Array',
    mapped((each: StreamRecord) => each.withValue<unknown>(new Uint8Array(2))),
    ["the output's value is an Uint8Array", 'Buffer.from(bytes)'],
  ],
  ['the option value is async', sink({ value: async () => 'x' }), ["the output's value is a Promise", isAsync]],
  ['the option key is async', sink({ key: async () => 'x' }), ["the output's key is a Promise", isAsync]],
  ['the option key gives a number', sink({ key: () => 7 }), ["the output's key is a number", 'the option key']],
  ['the option topic is async', sink({ topic: async () => 'out' }), ["the output's topic is a Promise", isAsync]],
  ['the option topic gives nothing', sink({ topic: () => undefined }), ["the output's topic is undefined", isMissing]],
  [
    'the option partition is async',
    sink({ partition: async () => 0 }),
    ["the output's partition is a Promise", isAsync],
  ],
  [
    'the option partition gives a text',
    sink({ partition: () => '0' }),
    ["the output's partition is a string", 'Return its number'],
  ],
  [
    'the option timestamp gives a Date',
    sink({ timestamp: () => new Date(0) }),
    ["the output's timestamp is a Date", 'getTime()'],
  ],
  [
    'the option headers gives an object',
    sink({ headers: () => ({ version: '1' }) }),
    ["the output's headers is a plain object", "[['version', Buffer.from('1')]]"],
  ],
  [
    'the option headers gives texts',
    sink({ headers: () => [['version', '1']] }),
    ["the output's headers is an array", 'Buffer'],
  ],
  [
    'update is async',
    stateful({ update: async (n: number) => ({ state: n, output: 'x' }) }),
    ['mapWithState (in 0@0): update returned a Promise', 'Leave async out', 'asyncLookup before it'],
  ],
  [
    'update returns the output alone',
    stateful({ update: () => 'x' }),
    ['update returned a string', 'Return { state, output }'],
  ],
  [
    'update returns nothing',
    stateful({ update: () => undefined }),
    ['update returned undefined', 'Return { state, output }'],
  ],
  [
    'update forgets the output',
    stateful({ update: () => ({ state: 1 }) }),
    ['update returned a plain object', 'Return { state, output }'],
  ],
  [
    'update gives a promise as state',
    stateful({ update: () => ({ state: Promise.resolve(1), output: 'x' }) }),
    ['update returned a Promise as state or output', 'Leave async out'],
  ],
  [
    'initial is async',
    stateful({ initial: async () => 0 }),
    ['mapWithState (in 0@0): initial returned a Promise', 'Leave async out'],
  ],
  [
    'the codec of a state is async',
    stateful({ codec: { encode: async () => Buffer.alloc(0), decode: () => 0 } }),
    ["its codec's encode returned a Promise"],
  ],
  [
    'a lookup function returns the row at once',
    looked(() => ({ name: 'Ada' })),
    ['asyncLookup (in 0@0): the lookup function returned a plain object', 'Declare it async'],
  ],
  [
    'a lookup function returns nothing',
    looked(() => undefined),
    ['the lookup function returned undefined', 'Declare it async'],
  ],
  [
    'decodeJson comes after what changes the bytes',
    (context, onError) => [
      map((each: StreamRecord) => each.withValue<unknown>('{}')),
      decodeJson(context, t.unknown, { onError }) as Operator,
    ],
    ['decodeJson (in 0@0): the value is a string', 'Put decodeJson before'],
  ],
  [
    'tombstone is async',
    (context, onError) => [
      map((each: StreamRecord) => each.withValue<unknown>(null)),
      decodeJson(context, t.unknown, { onError, tombstone: async () => ({}) }) as Operator,
    ],
    ['tombstone returned a Promise', isAsync],
  ],
]

function jobOf(operators: MakeOperators) {
  return defineJob({
    name: 'mistaken',
    pipeline(context) {
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      const source$ = fromKafka(context, { topic: 'in', groupId: 'mistaken' })
      const main$ = operators(context, deadLetters).reduce((each$: Wrong, operator) => operator(each$), source$)
      return [main$, deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq' }))]
    },
  })
}

describe('a mistake in the job stops it at the first record, by name and with its remedy, and is not restarted', () => {
  test.each(mistakes)('%s', async (_mistake, operators, sentences) => {
    const items = Array.from({ length: 8 }, (_, i) => record('v', { key: '{}', partition: i % 4 }))
    const world = new TestWorld({ topics: [testTopic('in', items, { partitions: 4 })] })
    const error: unknown = await world.run(jobOf(operators)).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'misused-operator', kind: 'configuration' })
    for (const sentence of sentences) expect((error as Error).message).toContain(sentence)
    expect(world.logger.lines).toEqual([])
    for (const topic of ['out', 'dlq'])
      if (world.log.topicNames.includes(topic)) expect(world.log.topic(topic).records()).toEqual([])
    expect(world.clock.pending).toBe(0)
  })
})

describe('a mistake that the plan can see is refused by it', () => {
  const planned = (pipeline: (context: PipelineContext) => Wrong) =>
    runJob(defineJob({ name: 'mistaken', pipeline }), { topics: { in: [] } })

  test.each<[string, (context: PipelineContext) => Wrong, string, string]>([
    [
      'pipeline is async',
      async () => {
        throw new Error('unheard')
      },
      'invalid-plan',
      'at once and not as a promise',
    ],
    ['pipeline returns nothing', () => undefined, 'invalid-plan', 'Is a return missing'],
    [
      'pipeline returns promises',
      (context) => [Promise.resolve(fromKafka(context, { topic: 'in', groupId: 'g' }))],
      'invalid-plan',
      'not as a promise',
    ],
    [
      'startFrom is a word',
      (context) => fromKafka(context, { topic: 'in', groupId: 'g', startFrom: 'earliest' as Wrong }),
      'invalid-argument',
      "committedOffsets('earliest')",
    ],
    [
      'the codec is no codec',
      (context) => fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(decodeJson(context, { parse() {} } as Wrong)),
      'invalid-argument',
      'an io-ts codec',
    ],
    [
      'the codec is missing',
      (context) => fromKafka(context, { topic: 'in', groupId: 'g' }).pipe(decodeJson(context, undefined as Wrong)),
      'invalid-argument',
      'an io-ts codec',
    ],
  ])('%s', async (_mistake, pipeline, code, sentence) => {
    await expect(planned(pipeline)).rejects.toMatchObject({ code, message: expect.stringContaining(sentence) })
  })
})
