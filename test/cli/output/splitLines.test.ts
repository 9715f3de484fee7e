import { fc, test as property } from '@fast-check/vitest'
import { expect, test } from 'vitest'
import { splitLines } from '../../../src/cli/output/splitLines.ts'

async function linesOf(chunks: readonly Buffer[], maxLineBytes = 1000): Promise<Buffer[]> {
  const lines: Buffer[] = []
  async function* source(): AsyncGenerator<Buffer> {
    yield* chunks
  }
  for await (const batch of splitLines(source(), maxLineBytes)) lines.push(...batch)
  return lines
}

test.each([
  ['', []],
  ['a', ['a']],
  ['a\n', ['a']],
  ['a\n\n', ['a', '']],
  ['\n', ['']],
  ['a\r\nb', ['a\r', 'b']],
])('%j is the lines %j', async (input, expected) => {
  const lines = await linesOf([Buffer.from(input)])
  expect(lines.map(String)).toEqual(expected)
})

property.prop([
  fc.array(fc.uint8Array({ maxLength: 20 }).map((bytes) => bytes.map((byte) => (byte < 50 ? 10 : byte)))),
])('where the chunks are cut makes no difference, and every byte survives', async (parts) => {
  const chunks = parts.map((part) => Buffer.from(part))
  const whole = Buffer.concat(chunks)
  const lines = await linesOf(chunks)
  expect(lines).toEqual(await linesOf([whole]))
  const joined = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]))
  expect(joined.equals(whole) || joined.subarray(0, -1).equals(whole)).toBe(true)
})

test('a line beyond the limit is refused with its number before it is complete', async () => {
  await expect(linesOf([Buffer.from('ok\n12345'), Buffer.from('6789')], 8)).rejects.toMatchObject({
    code: 'invalid-input',
    details: { line: 2 },
  })
  await expect(linesOf([Buffer.from('123456789\n')], 8)).rejects.toMatchObject({ code: 'invalid-input' })
  expect(await linesOf([Buffer.from('12345678\n')], 8)).toHaveLength(1)
})

test('a line of many chunks is joined in linear time', async () => {
  const chunk = Buffer.alloc(1024, 'x')
  const [line] = await linesOf(
    Array.from({ length: 20_000 }, () => chunk),
    1e9,
  )
  expect(line?.length).toBe(1024 * 20_000)
})
