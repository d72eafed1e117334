import type { TFunction } from "i18next";
import type { ApiError } from "@/api/errors";
import { span } from "@/lib/format";

export type Explained = { title: string; detail: string };

/** An error for a person: what happened in their language, and what to do or the API's own words. */
export const explain = (error: ApiError, t: TFunction): Explained => {
  const id = error.requestId ? ` · ${t("errors.request", { id: error.requestId })}` : "";
  switch (error.status) {
    case 0:
      return { title: t("errors.unreachable"), detail: t("errors.unreachableHint") };
    case 401:
      return { title: t("errors.key"), detail: t("errors.keyHint") };
    case 402:
      return { title: t("errors.budget"), detail: error.message };
    case 403:
      return { title: t("errors.scope"), detail: error.message };
    case 404:
      return { title: t("errors.missing"), detail: error.message };
    case 429:
      return {
        title: t("errors.busy"),
        detail: error.retryAfterS ? t("errors.busyHint", { wait: span(error.retryAfterS) }) : error.message,
      };
    default:
      return error.status >= 500
        ? { title: t("errors.server"), detail: t("errors.serverHint") + id }
        : { title: t("errors.refused"), detail: error.message };
  }
};
