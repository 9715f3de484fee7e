import { interval, map, merge, scan, take, tap, type MonoTypeOperatorFunction, type OperatorFunction } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import { sleep } from '../../src/core/ports/clock.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { defineJob, type Job } from '../../src/runtime/plan/defineJob.ts'
import { record, simulate, SimulationFailure } from '../../src/testing/index.ts'

type Text = StreamRecord<string | null>

const job = (mistake: (context: PipelineContext) => OperatorFunction<StreamRecord, Text>): Job =>
  defineJob({
    name: 'mistaken',
    pipeline: (context) =>
      fromKafka(context, { topic: 'input', groupId: 'mistaken' }).pipe(
        mistake(context),
        toKafkaTransactional(context, { topic: 'output' }),
      ),
  })

const text: OperatorFunction<StreamRecord, Text> = map((input) => input.withValue(input.value?.toString() ?? null))

/** What the kit says about a job with this step in it. */
async function verdict(mistake: (context: PipelineContext) => OperatorFunction<StreamRecord, Text>): Promise<string> {
  const input = Array.from({ length: 30 }, (_, index) => record(String(index), { key: 'k' }))
  const failure = await simulate(job(mistake), { topics: { input }, perSecond: 200, seeds: 20 }).then(
    () => undefined,
    (error: unknown) => error,
  )
  if (failure instanceof SimulationFailure) return failure.message
  throw new Error('the simulation found nothing', { cause: failure })
}

describe('a job with a mistake is caught, with the mistake and its remedy', () => {
  test('state in a closure of pipeline()', async () => {
    const said = await verdict(() => {
      let count = 0
      return map((input) => input.withValue(String((count += 1))))
    })
    expect(said).toContain('same results for every epoch length')
    expect(said).toContain('State in a closure of pipeline()')
    expect(said).toContain('keep what must last in mapWithState')
  })

  test('state in a variable of the module', async () => {
    let count = 0
    const said = await verdict(() => map((input) => input.withValue(String((count += 1)))))
    expect(said).toContain('same results in every run')
    expect(said).toContain('a variable outside of pipeline()')
    expect(said).toContain('mapWithState')
  })

  test('a stock operator that begins anew with each epoch', async () => {
    const dots = scan((before: Text, input: Text) => input.withValue(`${before.value ?? ''}.`))
    const said = await verdict(() => (source$) => source$.pipe(text, dots))
    expect(said).toContain('scan, distinct')
    expect(said).toContain('mapWithState')
  })

  test('take(10)', async () => {
    const said = await verdict(() => (source$) => source$.pipe(text, take(10)))
    expect(said).toContain('early-end')
    expect(said).toContain('An operator such as take')
    expect(said).toContain('remove it')
  })

  test('a promise that touches the context after its attempt', async () => {
    const late = (context: PipelineContext): MonoTypeOperatorFunction<Text> =>
      tap(() => {
        sleep(context.clock, 100)
          .then(() => {
            context.tally('late')
          })
          .catch(() => undefined)
      })
    const said = await verdict((context) => (source$) => source$.pipe(text, late(context)))
    expect(said).toContain('stale-context')
    expect(said).toContain('A promise or timer of the pipeline outlived its epoch')
    expect(said).toContain('make it part of the Observable')
  })

  test('a timer that touches the context after its attempt', async () => {
    const said = await verdict(
      (context) => (source$) =>
        source$.pipe(
          text,
          tap(() => {
            context.clock.after(100, () => {
              context.tally('late')
            })
          }),
        ),
    )
    expect(said).toContain('outlived its epoch')
  })

  test('merge with an interval', async () => {
    const ticks$ = interval(10_000).pipe(
      map((): Text => {
        throw new Error('no interval of real time passes here')
      }),
    )
    const said = await verdict(() => (source$) => merge(source$.pipe(text), ticks$))
    expect(said).toContain('no-end')
    expect(said).toContain('interval')
    expect(said).toContain('end it with its source')
  })
})
