import { expect, test } from 'vitest'
import { jsonLine, rawLine } from '../../../src/cli/output/recordLines.ts'
import { writeLines, type WriteRequest } from '../../../src/cli/commands/writeLines.ts'
import { systemClock } from '../../../src/core/ports/clock.ts'
import type { OutputRecord } from '../../../src/core/record.ts'

async function* source(chunks: Iterable<string>): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

function testStore() {
  const calls: (readonly OutputRecord[])[] = []
  const append = async (records: readonly OutputRecord[]): Promise<number> => {
    calls.push(records)
    return records.length
  }
  return { calls, append }
}

const request: WriteRequest = { topic: 't', format: rawLine, partition: null }

test('each line becomes one record, and an empty line one with an empty value', async () => {
  const store = testStore()
  const clock = { ...systemClock, now: () => 77 }
  expect(await writeLines(store.append, source(['a\nb\nc', 'd\n\n', 'e']), request, clock)).toBe(5)
  expect(store.calls.flat().map(({ value }) => String(value))).toEqual(['a', 'b', 'cd', '', 'e'])
  expect(store.calls[0]?.[0]).toEqual({
    topic: 't',
    partition: null,
    key: null,
    value: Buffer.from('a'),
    headers: [],
    timestamp: 77,
  })
})

test('the lines of a slow producer are written while it is silent', async () => {
  const store = testStore()
  const { promise: silence, resolve: speak } = Promise.withResolvers<undefined>()
  async function* slowly(): AsyncGenerator<Buffer> {
    yield Buffer.from('a\nb\nc')
    await silence
    yield Buffer.from('d\n')
  }
  const append = async (records: readonly OutputRecord[]): Promise<number> => {
    // Only what was appended lets the producer go on: if writing waited for it, this test would never end.
    speak(undefined)
    return store.append(records)
  }
  await writeLines(append, slowly(), request, systemClock)
  expect(store.calls.map((records) => records.map(({ value }) => String(value)))).toEqual([['a', 'b'], ['cd']])
})

test('an append that fails stops the command', async () => {
  const append = () => Promise.reject(new Error('disk full'))
  await expect(writeLines(append, source(['a\n', 'b\n']), request, systemClock)).rejects.toThrow('disk full')
})

test('the partition of the command overrules that of a line', async () => {
  const line = '{"key":"k","value":"v","timestamp":5,"partition":1}\n'
  const store = testStore()
  await writeLines(store.append, source([line]), { ...request, format: jsonLine }, systemClock)
  await writeLines(store.append, source([line]), { ...request, format: jsonLine, partition: 3 }, systemClock)
  expect(store.calls.flat().map(({ partition, timestamp }) => [partition, timestamp])).toEqual([
    [1, 5],
    [3, 5],
  ])
})

test('a bad line stops the command, and the lines before it are written and counted', async () => {
  const store = testStore()
  const writing = writeLines(
    store.append,
    source(['{"value":"a"}\n', '{"value":"b"}\nnonsense\n{"value":"c"}\n']),
    { ...request, format: jsonLine },
    systemClock,
  )
  await expect(writing).rejects.toMatchObject({
    code: 'invalid-input',
    message: expect.stringMatching(/^Line 3 is not JSON.* The 2 lines before it were written\.$/),
  })
  expect(store.calls.flat()).toHaveLength(2)
})

test('500,000 lines are written in batches of a few MiB', async () => {
  let most = 0
  const append = async (records: readonly OutputRecord[]): Promise<number> => {
    most = Math.max(
      most,
      records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
    )
    return records.length
  }
  const chunk = 'a line of some thirty characters\n'.repeat(1000)
  const chunks = Array.from({ length: 500 }, () => chunk)
  expect(await writeLines(append, source(chunks), request, systemClock)).toBe(500_000)
  expect(most).toBeGreaterThan(1024 * 1024)
  expect(most).toBeLessThan(5 * 1024 * 1024)
})
