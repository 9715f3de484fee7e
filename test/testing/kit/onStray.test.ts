import { tap } from 'rxjs'
import { expect, test } from 'vitest'
import { defineJob, fromKafka, toKafkaTransactional } from 'tidemark'
import { TestWorld } from 'tidemark/testing'

test('runJob reports a promise that the job does not wait for, and leaves the listeners of the test runner in place', async () => {
  const own = process.rawListeners('unhandledRejection')
  const job = defineJob({
    name: 'charges',
    pipeline: (context) =>
      fromKafka(context, { topic: 'in', groupId: 'charges' }).pipe(
        tap(() => {
          void Promise.reject(new Error('the card was refused'))
        }),
        toKafkaTransactional(context, { topic: 'out' }),
      ),
  })
  const world = new TestWorld({ topics: { in: ['a'] } })
  await expect(world.run(job)).rejects.toMatchObject({
    code: 'unawaited-work',
    kind: 'guard',
    message: expect.stringMatching(/the card was refused, at .*onStray\.test\.ts:\d+/),
  })
  expect(process.rawListeners('unhandledRejection')).toEqual(own)
})
