import { describe, expect, test } from 'vitest'
import { fc, test as property } from '@fast-check/vitest'
import { decodeCommitMetadata, encodeCommitMetadata } from '../../src/core/commitMetadata.ts'

const count = fc.maxSafeNat()
const metadata = fc.record({
  version: fc.constant(1 as const),
  epoch: count,
  nonce: fc.string(),
  lineage: fc.string(),
  generation: count,
  inputs: count,
  partitionCounts: fc.dictionary(fc.stringMatching(/^[a-z0-9._-]{1,20}$/), count, { noNullPrototype: true }),
  transactionalIdPrefix: fc.string(),
  changelogEnd: count,
  followerBaseMicros: fc.option(fc.maxSafeInteger()),
  watermarkMs: fc.option(fc.integer()),
})

describe('commit metadata', () => {
  property.prop([metadata])('is read back as it was written', (written) => {
    expect(decodeCommitMetadata(encodeCommitMetadata(written))).toEqual(written)
  })

  test('of a job with a few topics is far below what Kafka stores beside an offset', () => {
    const text = encodeCommitMetadata({
      version: 1,
      epoch: Number.MAX_SAFE_INTEGER,
      nonce: 'f'.repeat(16),
      lineage: 'f'.repeat(32),
      generation: 1_000,
      inputs: 10,
      partitionCounts: Object.fromEntries(
        Array.from({ length: 10 }, (_, n) => [`a-topic-with-a-long-name-${String(n)}`, 128]),
      ),
      transactionalIdPrefix: 'reconcile-tx',
      changelogEnd: Number.MAX_SAFE_INTEGER,
      followerBaseMicros: Number.MAX_SAFE_INTEGER,
      watermarkMs: Date.UTC(2030, 1),
    })
    expect(text.length).toBeLessThan(1_000)
  })

  test.each(['', 'null', '[]', '{"v":2}', 'not json', '{"v":1,"epoch":-1}', '{"v":1,"epoch":1.5,"nonce":"n"}'])(
    'that something else wrote is refused: %s',
    (text) => {
      expect(() => decodeCommitMetadata(text)).toThrow(expect.objectContaining({ code: 'corrupt-store' }))
    },
  )
})
