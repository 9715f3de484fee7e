import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testCli } from '../testCli.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-topic-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

const cli = (...args: string[]) => testCli({ directory }, ...args)
const cliWith = (stdin: string | Buffer, ...args: string[]) => testCli({ directory, stdin }, ...args)

/** Partition, key, value and headers of all records: what a copy must have in common with its original. */
async function contentOf(topic: string): Promise<unknown[]> {
  const { out } = await cli('topic', 'read', topic, '--json')
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { topic: _topic, ...content } = JSON.parse(line) as Record<string, unknown>
      return content
    })
}

describe('topic create and list', () => {
  test('a topic is made with its partitions and listed with its records', async () => {
    expect(await cli('topic', 'create', 'orders', '--partitions', '3')).toMatchObject({
      code: 0,
      out: 'Made topic orders with 3 partitions.\n',
    })
    await cliWith('a\nb\nc\nd\n', 'topic', 'write', 'orders')
    expect((await cli('topic', 'list')).out).toBe(
      'TOPIC   PARTITIONS  RECORDS  END OFFSETS\norders  3           4        2 1 1\n',
    )
  })

  test('without the option it has embedded.partitions', async () => {
    await cli('topic', 'create', 'orders', '--embedded.partitions=7')
    expect((await cli('topic', 'list')).out).toMatch(/^orders +7 /m)
  })

  test('a topic that is there, a bad name and a bad count are refused', async () => {
    await cli('topic', 'create', 'orders')
    expect(await cli('topic', 'create', 'orders')).toMatchObject({ code: 2, err: expect.stringContaining('exists') })
    expect(await cli('topic', 'create', 'a/b')).toMatchObject({ code: 2 })
    expect(await cli('topic', 'create', 'x', '--partitions', '0')).toMatchObject({
      code: 2,
      err: expect.stringContaining('Expected an integer of at least 1'),
    })
  })
})

describe('topic write', () => {
  test('a raw line is a value, an empty line an empty value, and the final newline no record', async () => {
    expect((await cliWith('a\n\nb\r\n', 'topic', 'write', 't', '--partition', '0')).out).toBe('Wrote 3 records to t.\n')
    const values = (await contentOf('t')).map((record) => (record as { value: unknown }).value)
    expect(values).toEqual(['a', '', 'b\r'])
  })

  test('records without a key go round the partitions from 0', async () => {
    await cliWith('a\nb\nc\nd\ne\n', 'topic', 'write', 't')
    expect((await cli('topic', 'read', 't')).out).toBe('a\ne\nb\nc\nd\n')
  })

  test('base64 lines give any bytes', async () => {
    await cliWith('/wA=\n\n', 'topic', 'write', 't', '--binary', '--partition', '0')
    expect(await contentOf('t')).toMatchObject([{ valueBase64: '/wA=' }, { value: '' }])
  })

  test('a file is read from the working directory', async () => {
    writeFileSync(path.join(directory, 'lines.txt'), 'a\nb')
    expect(await cli('topic', 'write', 't', 'lines.txt')).toMatchObject({ code: 0, out: 'Wrote 2 records to t.\n' })
    expect(await cli('topic', 'write', 't', 'none.txt')).toMatchObject({
      code: 2,
      err: expect.stringContaining('none.txt cannot be read'),
    })
  })

  test('a bad line is named, and a partition that is not there is refused', async () => {
    expect(await cliWith('{"value":"a"}\n{', 'topic', 'write', 't', '--json')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/Error: Line 2 is not JSON[\s\S]*The line before[\s\S]*code: invalid-input/),
    })
    expect(await cliWith('a', 'topic', 'write', 't', '--partition', '9')).toMatchObject({ code: 2 })
    expect(await cliWith('a', 'topic', 'write', 't', '--json', '--binary')).toMatchObject({ code: 2 })
  })
})

describe('topic read', () => {
  const lines = [
    '{"key":"k","value":"v","headers":[["h","1"],["h",null],["b",{"base64":"/w=="}]],"timestamp":1000,"partition":2}',
    '{"key":null,"value":null,"timestamp":2000,"partition":0}',
    '{"keyBase64":"/w==","valueBase64":"/wA=","timestamp":3000,"partition":2}',
    '{"key":"ä\\u0000","value":"a\\nb\\u2028","timestamp":4000,"partition":1}',
    '{"key":"","value":"","timestamp":0,"partition":2}',
  ]

  test('read as JSON and written again, the records are the same, partitions and timestamps too', async () => {
    await cliWith(lines.join('\n'), 'topic', 'write', 'one', '--json')
    const { out } = await cli('topic', 'read', 'one', '--json')
    expect((await cliWith(out, 'topic', 'write', 'two', '--json')).out).toBe('Wrote 5 records to two.\n')
    expect(await contentOf('two')).toEqual(await contentOf('one'))
    expect(await contentOf('one')).toHaveLength(5)
    expect((await cli('topic', 'read', 'two', '--json')).out).toBe(out.replaceAll('"topic":"one"', '"topic":"two"'))
  })

  test('values print as they are, byte for byte', async () => {
    await cliWith(lines.join('\n'), 'topic', 'write', 't', '--json')
    const { outBytes } = await cli('topic', 'read', 't', '--partition', '2')
    expect(outBytes).toEqual(Buffer.from('v\n\xff\x00\n\n', 'latin1'))
    expect((await cli('topic', 'read', 't', '--partition', '0')).out).toBe('null\n')
  })

  test('on a terminal, control characters of a value are shown and not obeyed', async () => {
    await cliWith('\u001B[2Jx', 'topic', 'write', 't')
    expect((await testCli({ directory, isTTY: true }, 'topic', 'read', 't')).out).toBe('\\x1b[2Jx\n')
  })

  test('a place, a limit and a partition can be chosen', async () => {
    await cliWith(lines.join('\n'), 'topic', 'write', 't', '--json')
    const read = async (...args: string[]) => (await cli('topic', 'read', 't', ...args)).out
    expect(await read('--partition', '1', '--from', '0', '--json')).toContain('"offset":0')
    expect(await read('--partition', '2', '--from', '2')).toBe('\n')
    expect(await read('--from', '1970-01-01T00:00:03Z', '--partition', '1')).toBe('a\nb\u2028\n')
    expect(await read('--from', 'latest')).toBe('')
    expect((await read('--limit', '2', '--json')).trim().split('\n')).toHaveLength(2)
  })

  test('what cannot be is refused', async () => {
    await cliWith('a', 'topic', 'write', 't')
    expect(await cli('topic', 'read', 'none')).toMatchObject({ code: 2, err: expect.stringContaining('unknown-topic') })
    expect(await cli('topic', 'read', 't', '--from', 'first')).toMatchObject({ code: 2 })
    expect(await cli('topic', 'read', 't', '--partition', '9')).toMatchObject({ code: 2 })
  })

  test('no data directory is made by reading', async () => {
    const result = await cli('topic', 'list', '--data-dir', 'elsewhere')
    expect(result).toMatchObject({ code: 2, err: expect.stringContaining('There is no data directory') })
    expect(existsSync(path.join(directory, 'elsewhere'))).toBe(false)
  })
})

test('with Kafka configured, its topics are meant and not the embedded ones', async () => {
  const result = await testCli({ directory, environment: { KAFKA_BOOTSTRAP_SERVERS: 'localhost:1' } }, 'topic', 'list')
  expect(result).toMatchObject({ code: 3, out: '', err: expect.stringContaining('Kafka at localhost:1') })
})
