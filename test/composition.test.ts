import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systems } from '../src/composition.ts'
import { jobLogPort } from '../src/core/ports/jobLogs.ts'
import { chooseWorld, systemUnder } from '../src/runtime/settings/chooseWorld.ts'
import { resolveSettings } from '../src/runtime/settings/resolve.ts'
import { settingsOfSystems } from '../src/core/ports/system.ts'

const folders = readdirSync(join(import.meta.dirname, '../src/connectors'))

describe('the list of systems', () => {
  test('has the one system of each folder of connectors', () => {
    expect(systems.map(({ name }) => name).toSorted()).toEqual(folders.toSorted())
  })

  test('has each setting once', () => {
    const keys = systems.flatMap(({ settings }) => Object.keys(settings))
    expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([])
  })

  test('chooses by settings that a system has, which are absent by default', () => {
    for (const { keys, settings } of systems) {
      expect(keys.filter((key) => settings[key]?.optional !== true)).toEqual([])
    }
  })
})

test('what a job opens has a system under it where nothing is configured: a log, and whatever operators ask for', () => {
  const world = settingsOfSystems(systems)
  const settings = resolveSettings({ flags: new Map(), environment: {}, file: null, job: null, world })
  const chosen = chooseWorld(settings, systems, [jobLogPort])
  const asked = systems
    .flatMap(({ ports }) => ports)
    .filter(({ name }) => ['log', 'rows', 'topics', 'tables'].includes(name))
  expect(asked.map((port) => systemUnder(chosen, port).name)).toEqual(asked.map(() => chosen.local.name))
})
