// What tsc does not see: see tsconfig.json for the types. The last rules keep the modules to the forms that
// ntkbook.widgets puts together without a parser.
import js from "@eslint/js";
import globals from "globals";

const forms = [
  ["ImportDefaultSpecifier, ImportNamespaceSpecifier", "Import names: import { a } from \"./other.js\"."],
  ["ImportSpecifier[imported.name!=/^\\w+$/]", "Import plain names."],
  ["ImportDeclaration[specifiers.length=0]", "Import what is used."],
  ["ImportExpression, MetaProperty", "A module is loaded from its text alone: it has no address to import from."],
  ["ExportAllDeclaration, ExportNamedDeclaration[declaration=null]", "Export a name where it is declared."],
  ["ExportNamedDeclaration > VariableDeclaration[kind!='const']", "Export a const: imports are copies."],
  ["ExportNamedDeclaration > VariableDeclaration > VariableDeclarator[id.type!='Identifier']", "Export one name at a time."],
  ["ExportDefaultDeclaration[declaration.type!='ObjectExpression']", "The default export is an object."],
  ["TemplateElement[value.raw=/\\n/]", "A template stays on one line: what looks like a comment, an import or an export must be one."],
].map(([selector, message]) => ({ selector, message }));

export default [
  { ignores: ["_build/", "_vendor/", ".venv/", "notebooks/"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error", "no-shadow": ["error", { builtinGlobals: false }] },
  },
  { files: ["src/ntkbook/widgets/js/*.js"], languageOptions: { globals: globals.browser }, rules: { "no-restricted-syntax": ["error", ...forms] } },
  { files: ["tools/pdf/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tools/*.js", "tools/course/*.js"], languageOptions: { globals: globals.node } },
  { files: ["book/_site/*.js"], languageOptions: { globals: globals.browser, sourceType: "script" } },
];
