import { describe, expect, test } from 'vitest'
import { defineJob, fromKafka, mapWithState, toKafkaTransactional, type Job } from 'tidemark'
import { EOF, record, runJob } from 'tidemark/testing'

/** Counts by key, in one step after the other. */
function counts(...uids: readonly string[]): Job {
  return defineJob({
    name: 'counts',
    pipeline: (context) =>
      uids
        .reduce(
          (source$, uid) =>
            source$.pipe(
              mapWithState(context, {
                uid,
                initial: () => 0,
                update: (count: number) => ({ state: count + 1, output: Buffer.from(String(count + 1)) }),
              }),
            ),
          fromKafka(context, { topic: 'input', groupId: 'counts' }),
        )
        .pipe(toKafkaTransactional(context, { topic: 'output' })),
  })
}

const input = [record('a', { key: 'k' })]

describe('a uid that has state and no step', () => {
  test.each(['kept', 'lost'] as const)('stops the start by name, with the local state %s', async (localState) => {
    const run = await runJob(counts('count'), { topics: { input }, localState })
    await expect(run.resume({ job: counts('counts') })).rejects.toMatchObject({
      code: 'unclaimed-state',
      kind: 'configuration',
      message: expect.stringMatching(
        /keyed state of uid 'count', and no step claims it: .* Was 'count' renamed to 'counts'\? Then give the step uid: 'count' again\. .*--allow-dropped/,
      ),
    })
    // Nothing was committed meanwhile, and the old name finds its state again.
    const again = await run.resume()
    expect(again.topic('output').text).toEqual(['1'])
  })

  test('names the new uid where it is the only one without state, however different', async () => {
    const run = await runJob(counts('count'), { topics: { input } })
    await expect(run.resume({ job: counts('perCustomer') })).rejects.toThrow("Was 'count' renamed to 'perCustomer'?")
  })

  test('is left unread with allowDropped, and is there again under its old name', async () => {
    const run = await runJob(counts('count'), { topics: { input: [...input, EOF, ...input, EOF, ...input] } })
    const dropped = await run.resume({ job: counts('counts'), allowDropped: true })
    expect(dropped.topic('output').text).toEqual(['1', '1'])
    expect(dropped.logLines.map(({ message }) => message)).toContainEqual(expect.stringContaining('no step claims'))
    await expect(run.resume()).rejects.toThrow("uid 'counts'")
    expect((await run.resume({ allowDropped: true })).topic('output').text).toEqual(['1', '1', '2'])
  })

  test('is no matter where only a step was added, or none has state', async () => {
    const run = await runJob(counts('count'), { topics: { input } })
    await expect(run.resume({ job: counts('count', 'other') })).resolves.toBeDefined()
    const stateless = await runJob(counts('count'), { topics: { input: [] } })
    await expect(stateless.resume({ job: counts('other') })).resolves.toBeDefined()
  })
})
