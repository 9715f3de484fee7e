import * as t from 'io-ts'
import { map, merge } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { Secrets } from '../../../src/core/secrets.ts'
import { decodeJson } from '../../../operators/decodeJson.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapWithState } from '../../../operators/mapWithState.ts'
import { sideOutput } from '../../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import type { PipelineContext } from '../../../src/core/context.ts'
import { latest } from '../../../src/core/startMode.ts'
import type { DeadLetter } from '../../../src/core/deadLetter.ts'
import { planJob, type Plan } from '../../../src/runtime/plan/plan.ts'
import { silentLogger } from '../../../src/core/ports/logger.ts'
import { ManualClock } from '../../../src/testing/world/manualClock.ts'
import { seededRandom } from '../../../src/testing/world/seededRandom.ts'
import type { TestPipeline } from '../../support/memoryJob.ts'

function plan(pipeline: TestPipeline): Plan {
  return planJob(
    { name: 'job', settings: {}, secrets: new Secrets(), pipeline },
    {
      clock: new ManualClock(),
      random: seededRandom(1),
      log: silentLogger,
      limits: { epochBytes: 1024, jsonMaxDepth: 256 },
    },
  )
}

const source = (context: PipelineContext, topic = 'input') => fromKafka(context, { topic, groupId: 'group' })

const count = (context: PipelineContext, uid: string) =>
  mapWithState<Buffer | null, number, Buffer | null>(context, {
    uid,
    initial: () => 0,
    update: (state, { value }) => ({ state: state + 1, output: value }),
  })

function writingDeadLettersTo(context: PipelineContext, topic: string | RegExp, dlq: string) {
  const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
  return [
    fromKafka(context, { topic, groupId: 'group' }).pipe(
      toKafkaTransactional(context, { topic: 'out', onError: deadLetters }),
    ),
    deadLetters.records$.pipe(
      map((letter) => letter),
      toKafkaTransactional(context, { topic: dlq, name: 'dead-letter-topic' }),
    ),
  ]
}

describe('the plan', () => {
  it.each<[string | RegExp, string, number]>([
    ['input', 'input', 1],
    [/^in/, 'input', 1],
    ['input', 'output', 0],
    [/^in/, 'output', 0],
  ])('warns of a sink that writes what the job reads: from %s to %s', (topic, output, warned) => {
    const { warnings } = plan((context) =>
      fromKafka(context, { topic, groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: output })),
    )
    expect(warnings).toHaveLength(warned)
    for (const warning of warnings) expect(warning).toMatch(/writes topic input, which kafka-source reads/)
  })

  it('finds steps, side outputs and edges through stock operators, from subscriptions alone', () => {
    const { nodes, edges, sources, sinks, groupId, transactionalIdPrefix } = plan((context) => {
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      return [
        merge(source(context), source(context, 'other')).pipe(
          map((record) => record),
          decodeJson(context, t.string, { onError: deadLetters }),
          toKafkaTransactional(context, { topic: 'output', transactionalIdPrefix: 'tx' }),
        ),
        deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq', name: 'dead-letter-topic' })),
      ]
    })
    expect(nodes.map(({ name }) => name)).toEqual([
      'kafka-source',
      'kafka-source-2',
      'decodeJson',
      'toKafkaTransactional',
      'dead-letter-topic',
      'dead-letters',
    ])
    const lines = edges.map(({ from, to }) => `${from} -> ${to}`).toSorted()
    expect(lines).toEqual([
      'dead-letter-topic -> pipeline 2',
      'decodeJson -> side output dead-letters',
      'decodeJson -> toKafkaTransactional',
      'kafka-source -> decodeJson',
      'kafka-source-2 -> decodeJson',
      'side output dead-letters -> dead-letter-topic',
      'toKafkaTransactional -> pipeline 1',
    ])
    expect(sources.map(({ topics }) => topics)).toEqual([
      { kind: 'topics', topics: ['input'] },
      { kind: 'topics', topics: ['other'] },
    ])
    expect(sinks.flatMap(({ spec }) => spec.topics)).toEqual(['output', 'dlq'])
    expect({ groupId, transactionalIdPrefix }).toEqual({ groupId: 'group', transactionalIdPrefix: 'tx' })
  })

  it('takes a topic that is read twice from the same place', () => {
    const from = (timestampMs: number) => ({ kind: 'timestamp', timestampMs }) as const
    const { sources } = plan((context) =>
      merge(
        fromKafka(context, { topic: ['a', 'b'], groupId: 'g', startFrom: from(5) }),
        fromKafka(context, { topic: 'b', groupId: 'g', startFrom: from(5) }),
        fromKafka(context, { topic: 'c', groupId: 'g', startFrom: from(6) }),
      ),
    )
    expect(sources).toHaveLength(3)
  })

  it('names the transactional ids after the job unless a sink says otherwise', () => {
    const { transactionalIdPrefix } = plan((context) =>
      source(context).pipe(toKafkaTransactional(context, { topic: 'output' })),
    )
    expect(transactionalIdPrefix).toBe('job')
  })

  it.each<readonly [string, RegExp, TestPipeline]>([
    ['no source', /has no source/, (context) => merge().pipe(toKafkaTransactional(context, { topic: 'output' }))],
    [
      'two consumer groups',
      /2 consumer group ids: a, b/,
      (context) =>
        merge(fromKafka(context, { topic: 'x', groupId: 'a' }), fromKafka(context, { topic: 'y', groupId: 'b' })),
    ],
    [
      'two transactional id prefixes',
      /2 transactional id prefixes: p, q/,
      (context) =>
        source(context).pipe(
          toKafkaTransactional(context, { topic: 'x', transactionalIdPrefix: 'p' }),
          toKafkaTransactional(context, { topic: 'y', transactionalIdPrefix: 'q' }),
        ),
    ],
    [
      'two start modes for one topic',
      /reads topic b twice, from latest in kafka-source and from offsets 0@7 in second, .* Give both the same startFrom/,
      (context) =>
        merge(
          fromKafka(context, { topic: ['a', 'b'], groupId: 'g', startFrom: latest }),
          fromKafka(context, {
            topic: ['b', 'c'],
            groupId: 'g',
            name: 'second',
            startFrom: { kind: 'offsets', offsets: new Map([[0, 7]]) },
          }),
        ),
    ],
    [
      'a pattern and a name that start one topic differently',
      /reads topic orders-eu twice, from earliest in kafka-source and from latest in kafka-source-2/,
      (context) =>
        merge(
          fromKafka(context, { topic: /^orders-/, groupId: 'g' }),
          fromKafka(context, { topic: 'orders-eu', groupId: 'g', startFrom: latest }),
        ),
    ],
    [
      'one uid for two steps',
      /uid 'count' to mapWithState and to mapWithState-2/,
      (context) => source(context).pipe(count(context, 'count'), count(context, 'count')),
    ],
    [
      'a stateful step that is subscribed twice',
      /Add share\(\) after it/,
      (context) => {
        const counted$ = source(context).pipe(count(context, 'count'))
        return [counted$, counted$]
      },
    ],
    [
      'dead letters into a topic that the job reads',
      /sends dead letters to topic input \(dead-letter-topic\), which it reads itself \(kafka-source\).*a topic of their own/,
      (context) => writingDeadLettersTo(context, 'input', 'input'),
    ],
    [
      'dead letters into a topic that a pattern of the job matches',
      /sends dead letters to topic orders-dlq .*one that \/\^orders-\/ does not match/,
      (context) => writingDeadLettersTo(context, /^orders-/, 'orders-dlq'),
    ],
    [
      'a pipeline that throws while it is built',
      /threw while being planned: no such thing/,
      () => {
        throw new Error('no such thing')
      },
    ],
  ])('refuses %s', (_name, message, pipeline) => {
    expect(() => plan(pipeline)).toThrow(message)
  })
})
