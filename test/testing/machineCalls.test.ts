import { setTimeout as wait } from 'node:timers/promises'
import { readFile } from 'node:fs/promises'
import { map } from 'rxjs'
import { describe, expect, test } from 'vitest'
import {
  asyncLookup,
  defineJob,
  fromKafka,
  sideOutput,
  toKafkaTransactional,
  type DeadLetter,
  type Job,
  type LookupFunction,
  type PipelineContext,
} from 'tidemark'
import { runJob, simulate } from 'tidemark/testing'

type Lookup = LookupFunction<Buffer | null, string>

function jobWith(lookupOf: (context: PipelineContext) => Lookup): Job {
  return defineJob({
    name: 'looked',
    pipeline(context) {
      const deadLetters = sideOutput<DeadLetter>(context, 'dead-letters')
      const found$ = fromKafka(context, { topic: 'in', groupId: 'looked' }).pipe(
        asyncLookup(context, { lookup: lookupOf(context), wait: 'ordered', timeoutMs: 200, onError: deadLetters }),
        map((record) => record.withValue(record.value.row ?? 'none')),
        toKafkaTransactional(context, { topic: 'out' }),
      )
      return [found$, deadLetters.records$.pipe(toKafkaTransactional(context, { topic: 'dlq' }))]
    },
  })
}

const topics = { in: ['a', 'b', 'c'] }
const found = ['A', 'B', 'C']
const upper = (value: Buffer | null): string => value?.toString().toUpperCase() ?? ''

describe('a lookup function that waits', () => {
  test.each<[string, Lookup]>([
    [
      'for a timer of the machine',
      async (value) => {
        await wait(30)
        return upper(value)
      },
    ],
    [
      'for several, one after the other',
      async (value) => {
        for (let i = 0; i < 3; i += 1) await wait(10)
        return upper(value)
      },
    ],
    [
      'for a file',
      async (value) => {
        await readFile(import.meta.filename)
        return upper(value)
      },
    ],
  ])('%s is not run past by virtual time', async (_how, lookup) => {
    const run = await runJob(
      jobWith(() => lookup),
      { topics },
    )
    expect(run.topic('out').text).toEqual(found)
    expect(run.deadLetters).toEqual([])
  })

  test('for the test’s clock costs no real time', async () => {
    const job = jobWith(({ clock }) => async (value) => {
      await new Promise<void>((resolve) => {
        clock.after(150, resolve)
      })
      return upper(value)
    })
    expect((await runJob(job, { topics })).topic('out').text).toEqual(found)
  })

  test('for longer than it is waited for is told apart from one that never answers', async () => {
    const slow = await runJob(
      jobWith(() => async () => {
        await wait(60_000, undefined, { ref: false })
        return null
      }),
      { topics },
    )
    expect(slow.deadLetters).toHaveLength(3)
    for (const { code, error } of slow.deadLetters) {
      expect(code).toBe('lookup-timeout')
      expect(error).toMatch(/within 200 ms\. It waits on the machine's clock .* wait on context\.clock/)
    }
    const never = await runJob(
      jobWith(() => () => new Promise(() => undefined)),
      { topics },
    )
    expect(never.deadLetters.map(({ error }) => error)).toEqual(
      Array.from({ length: 3 }, () => 'The lookup in the lookup function did not end within 200 ms.'),
    )
  })
})

describe('simulate', () => {
  test.each([0, 5])(
    'refuses a lookup function that waits %d ms on the machine’s clock, and blames nothing else',
    async (ms) => {
      const job = jobWith(() => async (value) => {
        await wait(ms)
        return upper(value)
      })
      const failure: unknown = await simulate(job, { topics, seeds: 3 }).catch((error: unknown) => error)
      const { message } = failure as Error
      expect(message).toContain("It waits on the machine's clock")
      expect(message).toContain('wait on context.clock')
      expect(message).not.toMatch(/closure|Math\.random/)
    },
  )

  test('runs one that waits on context.clock', async () => {
    const job = jobWith(({ clock }) => async (value) => {
      await new Promise<void>((resolve) => {
        clock.after(3, resolve)
      })
      return upper(value)
    })
    await expect(simulate(job, { topics, seeds: 3, faults: [] })).resolves.toMatchObject({ seeds: 3 })
  })
})
