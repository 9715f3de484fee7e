import { isSecretName, type Secrets } from '../../core/secrets.ts'
import type { SettingSpec } from '../../core/setting.ts'

/** A variable that is not ours may be `TOKEN=1`. */
const shortestVariable = 8

/** Where secrets come from. */
export interface SecretSources {
  /** Texts by key, of every layer: also what a stronger one overrides, and what does not decode. */
  readonly layers: readonly ReadonlyMap<string, string>[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly specs: ReadonlyMap<string, SettingSpec<unknown>>
}

/**
 * Tells `secrets` of all that is secret, before anything is decoded, because the errors of that are printed too.
 *
 * Keys that nobody has declared, such as those of a job that is not loaded yet, are judged by their names, and so are the
 * other variables of the environment, which a job may read by itself.
 */
export function learnSecrets(secrets: Secrets, { layers, environment, specs }: SecretSources): void {
  for (const layer of layers) {
    for (const [key, text] of layer) {
      if (specs.get(key)?.secret ?? isSecretName(key)) secrets.learn(text)
      else secrets.learnWithin(text)
    }
  }
  for (const [name, text] of Object.entries(environment)) {
    if (text !== undefined && text.length >= shortestVariable && isSecretName(name)) secrets.learn(text)
  }
  for (const spec of specs.values()) {
    if (spec.secret && spec.default !== null) secrets.learn(spec.encode(spec.default.value))
  }
}
