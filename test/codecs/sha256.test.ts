import { expect, test } from 'vitest'
import { sha256Hex } from '../../src/codecs/sha256.ts'

// NIST, FIPS 180-4 example values.
const vectors: readonly (readonly [name: string, input: string, digest: string])[] = [
  ['the empty message', '', 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855'],
  ['one block', 'abc', 'BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD'],
  [
    'two blocks',
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248D6A61D20638B8E5C026930C3E6039A33CE45964FF2167F6ECEDD419DB06C1',
  ],
  [
    'four blocks',
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    'CF5B16A778AF8380036CE59E7B0492370B249B11E8F07A51AFAC45037AFEE9D1',
  ],
  ['a million letters', 'a'.repeat(1_000_000), 'CDC76E5C9914FB9281A1C7E284D73E67F1809A48A497200E046D39CCC7112CD0'],
]

test.each(vectors)('the digest of %s is the one NIST publishes', (_, input, digest) => {
  expect(sha256Hex(input)).toBe(digest)
  expect(sha256Hex(Buffer.from(input))).toBe(digest)
})

test('lower case letters are an option', () => {
  expect(sha256Hex('abc', 'lower')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

test('a text is hashed by its UTF-8 bytes', () => {
  expect(sha256Hex('naïve 😀')).toBe(sha256Hex(Buffer.from('naïve 😀', 'utf8')))
})
