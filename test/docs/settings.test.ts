import { describe, expect, test } from 'vitest'
import { reconcileSettings } from '../../jobs/reconcile/settings.ts'
import { systems } from '../../src/composition.ts'
import { settingsOfSystems } from '../../src/core/ports/system.ts'
import { parseProperties } from '../../src/codecs/properties.ts'
import { resolveSettings } from '../../src/runtime/settings/resolve.ts'
import { codeBlocks, pages } from './documentation.ts'

const examples = pages()
  .flatMap(codeBlocks)
  .filter(({ language }) => language === 'properties')

describe('the properties of the documentation', () => {
  test.each(examples)('are taken by the reconcile job: $page:$line', ({ code }) => {
    const properties = parseProperties(code)
    const settings = resolveSettings({
      flags: new Map(),
      environment: {},
      file: { name: 'application.properties', properties },
      job: { path: 'jobs/reconcile.ts', name: 'reconcile', specs: reconcileSettings },
      world: settingsOfSystems(systems),
    })
    expect(settings.warnings).toEqual([])
    for (const key of properties.values.keys()) expect(settings.origin(key)).toMatch(/^application\.properties:\d+$/)
  })
})
