import { tap } from 'rxjs'
import { describe, expect, it } from 'vitest'
import { fromKafka } from '../../operators/fromKafka.ts'
import { mapWithState } from '../../operators/mapWithState.ts'
import { sideOutput } from '../../operators/sideOutput.ts'
import { toKafkaTransactional } from '../../operators/toKafka.ts'
import type { PipelineContext } from '../../src/core/context.ts'
import { TidemarkError } from '../../src/core/errors.ts'
import type { StreamRecord } from '../../src/core/record.ts'
import { override, withTaskLog, withTransactions } from '../support/faultyLog.ts'
import { failure, MemoryJob, type TestPipeline } from '../support/memoryJob.ts'

const copy: TestPipeline = (context) =>
  fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(toKafkaTransactional(context, { topic: 'output' }))

const codeOf = (error: Error): unknown => ('code' in error ? error.code : undefined)

const numbers = Array.from({ length: 100 }, (_, index) => String(index))

function jobWithInput(): MemoryJob {
  const job = new MemoryJob()
  job.write('input', numbers)
  return job
}

const refusal = (retriable: boolean): TidemarkError =>
  new TidemarkError('commit-failed', 'the disk is full', { retriable })

describe('a commit that is refused again and again', () => {
  it('blames no record: nothing is halved', async () => {
    const job = jobWithInput()
    const error = await failure(
      job.run(copy, {
        restart: { strategy: 'fixed-delay', attempts: 3, delayMs: 1000 },
        environment: withTransactions((transaction, index) =>
          index === 0 ? transaction : override(transaction, { commit: () => Promise.reject(refusal(false)) }),
        ),
      }),
    )
    expect(codeOf(error)).toBe('commit-failed')
    expect(error.message).toContain('the disk is full')
  })

  it('counts as no failure where the outcome is unknown or the task was fenced, and is answered by recovery', async () => {
    const job = jobWithInput()
    let fences = 0
    const result = await job.run(copy, {
      restart: { strategy: 'none' },
      environment: (world) =>
        withTaskLog((log) =>
          override(log, {
            commitLog: override(log.commitLog, {
              fence: () => {
                fences += 1
                return log.commitLog.fence()
              },
            }),
          }),
        )(
          withTransactions((transaction, index) =>
            index === 0 || index > 3
              ? transaction
              : override(transaction, { commit: () => Promise.reject(refusal(true)) }),
          )(world),
        ),
    })
    expect(result.aborted).toBe(3)
    expect(fences).toBe(4)
    expect(job.read('output')).toEqual(numbers)
  })
})

describe('what went wrong on the log', () => {
  it('fences the task again when the sends had an unknown outcome', async () => {
    const job = jobWithInput()
    let fences = 0
    await job.run(copy, {
      restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1 },
      environment: (world) =>
        withTaskLog((log) =>
          override(log, {
            commitLog: override(log.commitLog, {
              fence: () => {
                fences += 1
                return log.commitLog.fence()
              },
            }),
          }),
        )(
          withTransactions((transaction, index) =>
            index === 1 ? override(transaction, { prepare: () => Promise.reject(refusal(false)) }) : transaction,
          )(world),
        ),
    })
    expect(fences).toBe(2)
    expect(job.read('output')).toEqual(numbers)
  })

  it('does not stop the job because an abort fails too, and fences again', async () => {
    const job = jobWithInput()
    let failed = false
    let fences = 0
    await job.run(
      (context) =>
        fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
          tap(({ offset }) => {
            if (offset !== 50 || failed) return
            failed = true
            throw new Error('once')
          }),
          toKafkaTransactional(context, { topic: 'output' }),
        ),
      {
        restart: { strategy: 'fixed-delay', attempts: 1, delayMs: 1 },
        environment: (world) =>
          withTaskLog((log) =>
            override(log, {
              commitLog: override(log.commitLog, {
                fence: () => {
                  fences += 1
                  return log.commitLog.fence()
                },
              }),
            }),
          )(
            withTransactions((transaction, index) =>
              index === 1 ? override(transaction, { abort: () => Promise.reject(new Error('lost')) }) : transaction,
            )(world),
          ),
      },
    )
    expect(fences).toBe(2)
    expect(job.read('output')).toEqual(numbers)
  })

  it('is not hidden by a close that fails as well', async () => {
    const job = jobWithInput()
    const error = await failure(
      job.run(
        (context) =>
          fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
            tap(() => {
              throw new Error('the first error')
            }),
          ),
        {
          environment: withTaskLog((log) => override(log, { close: () => Promise.reject(new Error('cannot close')) })),
        },
      ),
    )
    expect(error.message).toContain('the first error')
  })
})

describe('what is emitted after the pipelines have completed', () => {
  it('and before the commit keeps the epoch from being committed', async () => {
    const job = new MemoryJob()
    job.write('input', ['a'])
    const error = await failure(
      job.run(
        (context: PipelineContext) => {
          const side = sideOutput<StreamRecord>(context, 'side')
          let late: (() => void) | null = null
          const environmentHook = (): void => late?.()
          hook = environmentHook
          return [
            fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
              tap((record) => {
                late = () => {
                  try {
                    side.emit(record)
                  } catch {
                    // As in a promise that nobody waits for.
                  }
                }
              }),
              toKafkaTransactional(context, { topic: 'output' }),
            ),
            side.records$,
          ]
        },
        {
          environment: withTransactions((transaction, index) =>
            index === 0
              ? transaction
              : override(transaction, {
                  prepare: async (changelog) => {
                    const end = await transaction.prepare(changelog)
                    hook()
                    return end
                  },
                }),
          ),
        },
      ),
    )
    expect(codeOf(error)).toBe('stale-context')
    expect(job.read('output')).toEqual([])
    expect(job.log.commits.map(({ epoch }) => epoch)).toEqual([0])
  })
})

let hook: () => void = () => undefined

it('each commit names the transactional id prefix of its own time', async () => {
  const job = new MemoryJob()
  const prefixes: string[] = []
  const withPrefix =
    (transactionalIdPrefix: string): TestPipeline =>
    (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        toKafkaTransactional(context, { topic: 'output', transactionalIdPrefix }),
      )
  for (const prefix of ['old', 'new']) {
    job.write('input', ['a'])
    await job.run(withPrefix(prefix), {
      environment: withTransactions((transaction) =>
        override(transaction, {
          commit: (positions, metadata) => {
            prefixes.push(metadata.transactionalIdPrefix)
            return transaction.commit(positions, metadata)
          },
        }),
      ),
    })
  }
  expect(prefixes).toEqual(['old', 'old', 'new'])
})

describe('--reset-offsets after the committed offsets were lost', () => {
  it('begins with empty state, although the changelog still holds the old one', async () => {
    const job = new MemoryJob()
    job.log.append(
      ['a', 'b'].map((value) => ({
        topic: 'input',
        partition: 0,
        key: Buffer.from('k'),
        value: Buffer.from(value),
        headers: [],
        timestamp: 0,
      })),
    )
    const count: TestPipeline = (context) =>
      fromKafka(context, { topic: 'input', groupId: 'group' }).pipe(
        mapWithState<Buffer | null, number, string>(context, {
          uid: 'count',
          initial: () => 0,
          update: (state) => ({ state: state + 1, output: String(state + 1) }),
        }),
        toKafkaTransactional(context, { topic: 'output' }),
      )
    await job.run(count)
    job.log.setOffset('group', 'input', 0, null)
    await job.run(count, { reset: { kind: 'earliest' } })
    expect(job.read('output')).toEqual(['1', '2', '1', '2'])
    job.log.setOffset('group', 'input', 0, null)
    await job.run(count, { reset: { kind: 'earliest' } })
    expect(job.read('output').slice(4)).toEqual(['1', '2'])
  })
})
