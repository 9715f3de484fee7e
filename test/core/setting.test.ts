import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { expect, expectTypeOf, test } from 'vitest'
import { setting, type SettingsOf } from '../../src/core/setting.ts'
import { choice, integer, text } from '../../src/core/settingCodecs.ts'

test('a setting has a default, is optional, or is required, and its type says so', () => {
  const specs = {
    'a.topic': setting(text, { meaning: 'A topic.', example: 'x' }),
    'a.size': setting(integer({ min: 1 }), { default: 4, meaning: 'A size.', example: '8' }),
    'a.mode': setting(choice(['on', 'off']), { optional: true, meaning: 'A mode.', example: 'on' }),
  }
  expectTypeOf<SettingsOf<typeof specs>>().toEqualTypeOf<{
    readonly 'a.topic': string
    readonly 'a.size': number
    readonly 'a.mode': 'on' | 'off' | undefined
  }>()
  expect(specs['a.topic']).toMatchObject({ default: null, optional: false })
  expect(specs['a.size'].default).toEqual({ value: 4 })
  expect(specs['a.mode']).toMatchObject({ default: null, optional: true })
})

test('a default may follow from the name under which the job is deployed', () => {
  const spec = setting(text, { defaultFor: (job) => `${job}-group`, meaning: 'A group.', example: 'orders-group' })
  expectTypeOf(spec.decode('x')).toEqualTypeOf<E.Either<string, string>>()
  expect(spec.default).toBeNull()
  expect(spec.defaultFor?.('orders')).toBe('orders-group')
})

test('any io-ts codec that decodes a text can stand behind a setting', () => {
  const spec = setting(t.keyof({ left: null, right: null }), { meaning: 'A side.', example: 'left' })
  expect(spec.decode('right')).toEqual(E.right('right'))
  expect(spec.decode('up')).toEqual(E.left('"left" | "right"'))
})

test('an example that the codec refuses is refused at the declaration', () => {
  expect(() => setting(integer(), { meaning: 'A number.', example: 'three' })).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  )
})
