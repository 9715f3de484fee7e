import { describe, expect, it } from 'vitest'
import { firstValueFrom, of } from 'rxjs'
import { sha256Hash } from '../../operators/sha256Hash.ts'
import type { LookedUp } from '../../operators/asyncLookup.ts'
import { sampleRecord } from '../support/sampleRecord.ts'

const abc = 'BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD'
const ofNoBytes = 'E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855'

type Row = { readonly encoded: string }

const looked = (raw: string | Buffer | null, row: Row | null) =>
  of(sampleRecord(raw).withValue<LookedUp<string, Row>>({ message: 'decoded', row }))

describe('sha256Hash', () => {
  it('hashes the raw message and the text of the row, in upper case, beside what was there', async () => {
    const hash = sha256Hash({ messageAs: 'hash', rowAs: 'cass_hash' })
    const { value } = await firstValueFrom(looked('abc', { encoded: '' }).pipe(hash))
    const both: string | null = value.hash
    expect(both).toBe(abc)
    expect(value).toEqual({ message: 'decoded', row: { encoded: '' }, hash: abc, cass_hash: ofNoBytes })
  })

  it('writes lower case on request', async () => {
    const hash = sha256Hash({ messageAs: 'a', rowAs: 'b', letters: 'lower' })
    expect((await firstValueFrom(looked('abc', null).pipe(hash))).value.a).toBe(abc.toLowerCase())
  })

  it('hashes bytes that are no text as they are, and text of a row as UTF-8', async () => {
    const hash = sha256Hash({ messageAs: 'a', rowAs: 'b', letters: 'lower' })
    const { value } = await firstValueFrom(looked(Buffer.from([0xff]), { encoded: 'é' }).pipe(hash))
    expect(value.a).toBe('a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89')
    expect(value.b).toBe('4a99557e4033c3539de2eb65472017cad5f9557f7a0625a09f1c3f6e2ba69c4c')
  })

  it.each([
    ['null', null],
    ['empty', ofNoBytes],
  ] as const)('hashes a missing row and a null message as %s', async (missing, expected) => {
    const hash = sha256Hash({ messageAs: 'a', rowAs: 'b', missing })
    expect((await firstValueFrom(looked(null, null).pipe(hash))).value).toMatchObject({ a: expected, b: expected })
  })

  it.each([
    [{ messageAs: '', rowAs: 'b' }, 'messageAs'],
    [{ messageAs: 'row', rowAs: 'b' }, 'messageAs'],
    [{ messageAs: 'a', rowAs: 'message' }, 'rowAs'],
    [{ messageAs: 'a', rowAs: 'a' }, 'rowAs'],
    [{ messageAs: 'a', rowAs: 'b', letters: 'Upper' }, 'letters'],
    [{ messageAs: 'a', rowAs: 'b', missing: 'none' }, 'missing'],
  ])('refuses %j when the pipeline is built', (options, option) => {
    const build = (): unknown => sha256Hash(options as Parameters<typeof sha256Hash>[0])
    expect(build).toThrow(`sha256Hash: option ${option} must be `)
  })
})
