import { describe } from 'vitest'
import { changelogConformance } from './changelog.ts'
import { commitLogConformance } from './commitLog.ts'
import { inputsConformance } from './inputs.ts'
import { outputsConformance } from './outputs.ts'
import { testedLog, type TaskLogTraits, type TaskLogWorld } from './taskLogSteps.ts'

/** What every task log must do, port by port; each implementation runs it. */
export function taskLogConformance(
  name: string,
  makeWorld: () => Promise<TaskLogWorld>,
  traits: TaskLogTraits = {},
): void {
  describe(`task log: ${name}`, () => {
    const log = testedLog(makeWorld)
    inputsConformance(log, traits)
    commitLogConformance(log, traits)
    changelogConformance(log, traits)
    outputsConformance(log)
  })
}
