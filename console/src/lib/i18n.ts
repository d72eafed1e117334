import i18next from "i18next";
import LanguageDetector from "i18next-browser-languagedetector";
import { initReactI18next } from "react-i18next";
import type { en } from "@/locales/en";

export type Language = "pt" | "en";
export const LANGUAGES: readonly Language[] = ["pt", "en"];

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "translation";
    resources: { translation: typeof en };
  }
}

const load = {
  pt: async () => (await import("@/locales/pt")).pt,
  en: async () => (await import("@/locales/en")).en,
};

const htmlLanguage = { pt: "pt-BR", en: "en" } as const;

/** Take up the browser's language (or the one chosen before); only its texts are fetched. */
export const startI18n = async (): Promise<void> => {
  await i18next
    .use(LanguageDetector)
    .use(initReactI18next)
    .init({
      resources: {},
      partialBundledLanguages: true,
      supportedLngs: [...LANGUAGES],
      nonExplicitSupportedLngs: true,
      load: "languageOnly",
      fallbackLng: "en",
      interpolation: { escapeValue: false },
      react: { useSuspense: false },
      detection: { order: ["localStorage", "navigator"], caches: [], lookupLocalStorage: "revalida.language" },
    });
  await speak(language());
};

export const language = (): Language => ((i18next.language ?? "en").startsWith("pt") ? "pt" : "en");

/** Show the console in this language. */
export const speak = async (next: Language): Promise<void> => {
  if (!i18next.hasResourceBundle(next, "translation")) {
    i18next.addResourceBundle(next, "translation", await load[next]());
  }
  await i18next.changeLanguage(next);
  document.documentElement.lang = htmlLanguage[next];
};

export const choose = async (next: Language): Promise<void> => {
  localStorage.setItem("revalida.language", next);
  await speak(next);
};
