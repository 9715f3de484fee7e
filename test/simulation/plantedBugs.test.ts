import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { PlantedResult } from './findPlanted.ts'
import { plantedBugs } from './plantedBugs.ts'

const node = path.resolve('node_modules', '.bin', 'node')
let results: readonly PlantedResult[] = []

describe('simulation finds bugs that somebody could have written', () => {
  // All of them in one process: each is a module graph of its own there.
  beforeAll(() => {
    const { stdout, stderr, status } = spawnSync(node, [path.join(import.meta.dirname, 'findPlanted.ts')], {
      encoding: 'utf8',
      env: { ...process.env, TIDEMARK_SEED: '' },
    })
    if (status !== 0) throw new Error(stderr)
    results = JSON.parse(stdout) as readonly PlantedResult[]
  }, 300_000)

  test('there are at least ten', () => {
    expect(plantedBugs.length).toBeGreaterThanOrEqual(10)
  })

  test.each(plantedBugs.map(({ name, withinSeeds }) => [name, withinSeeds] as const))(
    '%s, within %i seeds',
    (name, withinSeeds) => {
      const result = results.find((one) => one.name === name)
      expect(result?.seeds).not.toBeNull()
      expect(result?.seeds).toBeLessThanOrEqual(withinSeeds)
    },
  )
})
