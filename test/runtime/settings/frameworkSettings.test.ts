import { expect, test } from 'vitest'
import { frameworkSettings } from '../../../src/runtime/settings/frameworkSettings.ts'
import { environmentName } from '../../../src/runtime/settings/resolve.ts'

test.each(Object.entries(frameworkSettings))('%s has a meaning of one sentence', (_key, spec) => {
  expect(spec.meaning).toMatch(/^[a-zA-Z].*\.$/)
})

test('no two settings share a name in the environment', () => {
  const names = Object.keys(frameworkSettings).map(environmentName)
  expect(new Set(names).size).toBe(names.length)
})

test.each(Object.values(frameworkSettings).filter((spec) => spec.default !== null))(
  'the default of "$meaning" reads back from its text',
  (spec) => {
    const text = (spec.encode as (value: unknown) => string)(spec.default?.value)
    expect(spec.decode(text)).toMatchObject({ right: spec.default?.value })
  },
)
