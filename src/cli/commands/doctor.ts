import type { Command } from 'commander'
import { OpenedWorld } from '../../composition.ts'
import { TidemarkError } from '../../core/errors.ts'
import { fine, type Finding } from '../../core/finding.ts'
import type { ExaminedJob } from '../../core/ports/system.ts'
import type { Plan } from '../../runtime/plan/plan.ts'
import { deadLetterTopics } from '../../runtime/plan/planLoops.ts'
import { chooseWorld, joined } from '../../runtime/settings/chooseWorld.ts'
import type { ResolvedSettings } from '../../runtime/settings/resolvedSettings.ts'
import { jobOf, settingsOf, withCommonOptions, type CommandContext, type CommonOptions } from '../commandContext.ts'
import { deployment, type LoadedJob } from '../loadJob.ts'
import { dataDirectoryOf, portsOf, systemEnvironment, systemsOf } from '../openWorld.ts'
import { planOf } from './plan.ts'

const colours = { ok: 'green', warn: 'yellow', fail: 'red' } as const

/** `tidemark doctor [job]`: whether the systems are as a job needs them. */
export function addDoctorCommand(program: Command, context: CommandContext): void {
  const real = context.systems.filter(({ keys }) => keys.length > 0)
  withCommonOptions(program.command('doctor'))
    .argument('[job]', 'job file, whose topics and consumer group are looked at too')
    .summary(`check ${joined(real.map(({ title }) => title))} for what a job needs of them`)
    .description(
      'Connects to the systems that are configured and looks at versions, transaction limits, replication, topics, the\nconsumer group, keyspaces and clocks. Changes nothing. Each line is ok, warn or fail, with what to do about it; the\nexit code is 1 when there is a fail.',
    )
    .addHelpText('after', '\nExample:\n  tidemark doctor jobs/reconcile.ts')
    .action(async (file: string | undefined, options: CommonOptions) => {
      const { out } = context
      const loaded = file === undefined ? null : await jobOf(context, file)
      const settings = settingsOf(context, options, loaded)
      const plan = loaded === null ? null : planOf(loaded, settings, context)
      const renamed = loaded !== null && plan !== null && plan.job !== loaded.job.name
      const named = renamed ? [fine(`Job ${deployment(plan, loaded)}`)] : []
      const findings = [...named, ...(await examine(context, settings, loaded, plan))]
      for (const { level, what, fix } of findings) {
        await out.line(`${out.style(colours[level], level.padEnd(4))}  ${what}`)
        if (fix !== null) await out.line(`      fix: ${fix}`)
      }
      if (findings.some(({ level }) => level === 'fail')) context.exit(1)
    })
}

async function examine(
  context: CommandContext,
  settings: ResolvedSettings,
  loaded: LoadedJob | null,
  plan: Plan | null,
): Promise<readonly Finding[]> {
  const all = systemsOf(context, loaded)
  // Without a job: every system of which anything is set.
  const set = all.filter(({ keys }) => keys.some((key) => settings.isSet(key)))
  const systems = plan === null ? all.filter((system) => system.keys.length === 0 || set.includes(system)) : all
  const ports = plan === null ? set.flatMap((system) => system.ports) : portsOf(plan)
  const chosen = chooseWorld(settings, systems, ports)
  const world = new OpenedWorld(chosen, settings, systemEnvironment(context, settings, plan, { purpose: 'read' }))
  const job = plan === null ? null : examinedJob(plan)
  const findings = await Promise.all(
    [...chosen.chosen, ...chosen.always].map((system) => asFindings(() => world.open(system).check(job))),
  )
  if (chosen.chosen.length > 0 || findings.flat().length > 0) return findings.flat()
  return [fine(`${chosen.local.title} in ${dataDirectoryOf(context, settings)} : there is no other system to look at`)]
}

function examinedJob(plan: Plan): ExaminedJob {
  const { job, groupId, transactionalIdPrefix, sources, sinks, copartitioned } = plan
  return {
    job,
    group: 'source',
    groupId,
    transactionalIdPrefix,
    inputs: sources.map(({ topics }) => topics),
    outputs: sinks.flatMap(({ spec }) => spec.topics),
    deadLetters: deadLetterTopics(plan),
    copartitioned,
  }
}

/** A system that does not answer is a finding like any other; what a person has to correct first is not. */
async function asFindings(act: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return await act()
  } catch (error) {
    if (!(error instanceof TidemarkError) || error.kind !== 'unreachable') throw error
    // Its message ends with what to do.
    return [{ level: 'fail', what: error.message, fix: null }]
  }
}
