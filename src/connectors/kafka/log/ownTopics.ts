import { changelogTopicName } from './changelogTopic.ts'
import { controlTopicName } from './controlTopic.ts'

/** Topics in which a job keeps what is its own: no sink writes there, and no pattern chooses them as inputs. */
export function ownTopicsOf(spec: { readonly job: string; readonly group: string }): ReadonlySet<string> {
  return new Set([changelogTopicName(spec), controlTopicName(spec)])
}
