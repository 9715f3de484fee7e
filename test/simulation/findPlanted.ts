/**
 * Plants bugs in the sources as they are imported, one module graph for each, and prints as JSON what simulation says of
 * each: the seeds it took and the invariant, or nothing found.
 *
 *     node test/simulation/findPlanted.ts [<part of a bug's name>]
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Simulation } from './jobs.ts'
import { patched } from '../mutations/patch.ts'
import { plantedBugs, type PlantedBug } from './plantedBugs.ts'

const repository = new URL('../../', import.meta.url)

/** What stands in a module's address for the bug that its graph has. */
const parameter = 'planted'

registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context)
    const planted = context.parentURL === undefined ? null : plantedIn(context.parentURL)
    if (planted === null || !resolved.url.startsWith(repository.href) || resolved.url.includes('/node_modules/'))
      return resolved
    return { ...resolved, url: `${resolved.url}?${parameter}=${planted}` }
  },
  load(url, context, next) {
    const planted = plantedIn(url)
    const bug = planted === null ? undefined : plantedBugs[Number(planted)]
    if (bug === undefined) return next(url, context)
    const path = fileURLToPath(new URL(url.split('?')[0] ?? url))
    const source = readFileSync(path, 'utf8')
    const isItsFile = path === fileURLToPath(new URL(bug.file, repository))
    return { format: 'module-typescript', shortCircuit: true, source: isItsFile ? patched(bug, source) : source }
  },
})

function plantedIn(url: string): string | null {
  return url.startsWith('file:') ? new URL(url).searchParams.get(parameter) : null
}

/** What came of one bug. */
export interface PlantedResult {
  readonly name: string
  /** Seeds until it was found; 0: without any faults. Null: not found. */
  readonly seeds: number | null
  readonly invariant: string
}

const jobs = pathToFileURL(fileURLToPath(new URL('./jobs.ts', import.meta.url))).href
const wanted = process.argv[2] ?? ''
const results: PlantedResult[] = []
for (const [index, bug] of plantedBugs.entries()) {
  if (!bug.name.includes(wanted)) continue
  const graph = (await import(`${jobs}?${parameter}=${String(index)}`)) as {
    readonly simulations: Readonly<Record<string, Simulation>>
  }
  const simulation = graph.simulations[bug.job]
  if (simulation === undefined) throw new Error(`There is no job ${bug.job}`)
  results.push(await search(bug, simulation))
}
process.stdout.write(JSON.stringify(results, null, 2))

async function search({ name, withinSeeds, faults }: PlantedBug, simulation: Simulation): Promise<PlantedResult> {
  try {
    const chosen = faults === undefined ? {} : { faults }
    await simulation({ seeds: Math.max(1, withinSeeds), shrink: false, ...chosen })
  } catch (error) {
    if (!(error instanceof Error) || !('invariant' in error) || !('seed' in error)) throw error
    return { name, seeds: error.seed === null ? 0 : Number(error.seed), invariant: String(error.invariant) }
  }
  return { name, seeds: null, invariant: '' }
}
