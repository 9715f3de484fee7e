import { describe, expect, test } from 'vitest'
import { asyncLookup } from '../../../operators/asyncLookup.ts'
import { fromKafka } from '../../../operators/fromKafka.ts'
import { mapValue } from '../../../operators/mapValue.ts'
import { toKafkaTransactional } from '../../../operators/toKafka.ts'
import { operatorContext } from '../../../src/core/context.ts'
import type { LookupClient } from '../../../src/core/ports/lookup.ts'
import { Port, type Resource } from '../../../src/core/ports/port.ts'
import { defineSystem, provided } from '../../../src/core/ports/system.ts'
import { setting } from '../../../src/core/setting.ts'
import { text } from '../../../src/core/settingCodecs.ts'
import { defineJob } from '../../../src/runtime/plan/defineJob.ts'
import { testSettings } from '../../../src/testing/kit/testEnvironment.ts'
import { runJob, simulate } from '../../../src/testing/index.ts'

type Lengths = LookupClient<string, number> & Resource

const lengthsPort = new Port<Lengths>('lengths')

const job = defineJob({
  name: 'lengths',
  values: { 'kafka.session.timeout.ms': '6000', 'lengths.unit': 'in' },
  systems: [
    defineSystem({
      name: 'lengths',
      settings: { 'lengths.unit': setting(text, { default: 'cm', meaning: 'What is counted.', example: 'm' }) },
      open: (): Lengths => {
        throw new Error('a test opened the system itself')
      },
      provides: [provided(lengthsPort, (client: Lengths) => client)],
    }),
  ],
  pipeline: (context) =>
    fromKafka(context, { topic: 'words', groupId: 'lengths' }).pipe(
      mapValue((word) => word?.toString() ?? ''),
      asyncLookup(context, { lookup: operatorContext(context).open(lengthsPort), wait: 'ordered' }),
      mapValue(({ row }) => String(row)),
      toKafkaTransactional(context, { topic: 'lengths' }),
    ),
})

describe('a double for a port of the job', () => {
  const calls: string[] = []
  const double = (): Lengths => ({
    name: 'lengths of the test',
    lookup: (word) => Promise.resolve({ kind: 'hit', result: word.length }),
    connect: () => {
      calls.push('connect')
      return Promise.resolve()
    },
    close: () => {
      calls.push('close')
      return Promise.resolve()
    },
  })
  const provide = [provided(lengthsPort, double)]

  test('is connected, asked and closed in place of the system, whose settings are known', async () => {
    const run = await runJob(job, {
      topics: { words: ['a', 'tea'] },
      settings: { 'lengths.unit': 'mm' },
      provide,
    })
    expect(run.topic('lengths').text).toEqual(['1', '3'])
    expect(calls).toEqual(['connect', 'close'])
  })

  test('needs no system that the job file sets something of', () => {
    expect(testSettings(job, {}, false).job).toEqual({ 'lengths.unit': 'in' })
  })

  test('is asked in a simulation too', async () => {
    const report = await simulate(job, { topics: { words: ['a', 'tea', 'coffee'] }, provide, seeds: 3 })
    expect(report.seeds).toBe(3)
  })

  test('is refused by name where it is no client', async () => {
    const shapeless = provided(lengthsPort, () => ({ name: 'half a double' }) as unknown as Lengths)
    await expect(runJob(job, { topics: { words: ['a'] }, provide: [shapeless] })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('a plain object under the port lengths; it must be a client'),
    })
  })

  test('is asked for by name where there is none', async () => {
    await expect(runJob(job, { topics: { words: ['a'] } })).rejects.toMatchObject({
      code: 'invalid-plan',
      message: expect.stringContaining('port lengths in memory: give a double for it'),
    })
  })
})
