/**
 * What the API's refusals mean for the task: the account's troubles need a person (`setup`), limits need time, the
 * input's troubles come back however often it is tried. Pure.
 */
import type { ClaudeStream } from './claude-stream.ts';
import { numberOf, stringOf } from './json.ts';
import type { JsonObject } from './json.ts';
import type { Failure } from './outcome.ts';

/** Classes Claude Code names itself (`error` of its last assistant line) and that only a person can mend. */
const accountAdvice: Record<string, string> = {
  authentication_failed:
    'Claude Code is not logged in or its key is not valid: run `claude` and log in, or set ANTHROPIC_API_KEY.',
  oauth_org_not_allowed:
    'The account’s organisation does not allow Claude Code: log in with another account.',
  account_on_hold: 'The Claude account is on hold: see its page.',
  verification_required: 'The Claude account must be verified first: see its page.',
  billing_error: 'The Claude account has no credit: add credit or log in with another account.',
  model_not_found: 'The model is not known or not allowed for this account: correct `model` in the role.',
  cloud_credential_error: 'The cloud credentials of Claude Code are not valid: renew them.',
};

export function accountFailure(error: string): Failure {
  return { kind: 'setup', code: error, message: accountAdvice[error] ?? error };
}

export function apiFailure(result: JsonObject, stream: ClaudeStream, said: string): Failure | undefined {
  const error = stringOf(result['api_error']);
  const status = numberOf(result['api_error_status']);
  if (error === 'usage_limit_reached') return usageLimit(said, stream.resetAt);
  if (error === 'model_requires_usage_credits') return { ...accountFailure('billing_error'), message: said };
  if (result['stop_reason'] === 'refusal') {
    return { kind: 'policy', code: 'refused', message: 'The model refused this task.', resumable: false };
  }
  if (stream.assistantError !== undefined && stream.assistantError in accountAdvice) {
    return accountFailure(stream.assistantError);
  }
  return (
    byStatus(status, stream, said) ?? byError(error, stream.assistantError, said) ?? byText(result, said)
  );
}

function byStatus(status: number | undefined, stream: ClaudeStream, said: string): Failure | undefined {
  if (status === undefined) return undefined;
  const code = `api_${status}`;
  if (status === 401 || status === 403) return accountFailure('authentication_failed');
  if (status === 402) return accountFailure('billing_error');
  if (status === 404) return accountFailure('model_not_found');
  if (status === 413)
    return { kind: 'invalid_input', code: 'request_too_large', message: said, resumable: false };
  if (status === 429) {
    // It retries what passes soon. No retry: the API said not to come back, or not for long: the account's limit.
    if (stream.retries === 0) return usageLimit(said, stream.resetAt);
    return { kind: 'transient', code, message: 'The API is limiting requests (429).' };
  }
  if (status === 408 || status >= 500) {
    return { kind: 'transient', code, message: `The API is overloaded or failing (${status}).` };
  }
  return { kind: 'agent', code, message: `The API refused the request (${status}): ${said}` };
}

/** Without a status there was no answer, or none that could be read. */
function byError(
  error: string | undefined,
  assistantError: string | undefined,
  said: string,
): Failure | undefined {
  if (error === 'max_output_tokens' || assistantError === 'max_output_tokens') {
    return {
      kind: 'agent',
      code: 'max_output_tokens',
      message: 'The answer grew longer than the model allows.',
    };
  }
  if (error === 'message_over_context_limit') {
    return { kind: 'invalid_input', code: 'prompt_too_long', message: said, resumable: false };
  }
  if (error === 'network_edge_blocked' || error === 'named_profile_unusable') {
    return { kind: 'setup', code: error, message: said };
  }
  if (error !== undefined)
    return { kind: 'transient', code: error, message: `The API could not be reached: ${said}` };
  return undefined;
}

/** No field at all tells these apart. */
function byText(result: JsonObject, said: string): Failure | undefined {
  if (/not logged in/iu.test(said)) return accountFailure('authentication_failed');
  if (/credit balance is too low/iu.test(said)) return accountFailure('billing_error');
  if (result['terminal_reason'] !== 'api_error' && result['terminal_reason'] !== 'model_error')
    return undefined;
  const code = /timed out/iu.test(said) ? 'api_timeout' : 'api_unavailable';
  return { kind: 'transient', code, message: `The API gave no usable answer: ${said}` };
}

function usageLimit(said: string, resetAt: number | undefined): Failure {
  const failure: Failure = {
    kind: 'usage_limit',
    code: 'usage_limit',
    message: `The Claude account is at its limit: ${said}`,
  };
  return resetAt === undefined ? failure : { ...failure, resetAt };
}
